//! A file with the wrapped data keys of a database, closed to others.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ytcaption_eventstore::Database;
use ytcaption_eventstore::encryption::DataKeyLine;

/// Read and written by the owner only.
const PRIVATE_FILE_MODE: u32 = 0o600;

/// Where the data keys of an export are: beside it, with `.keys` added to its name.
pub(crate) fn beside(export: &Path) -> PathBuf {
    let mut name = export.file_name().unwrap_or_default().to_owned();
    name.push(".keys");
    export.with_file_name(name)
}

/// Writes all data keys into a file that does not exist yet; returns how many there are.
///
/// # Errors
/// The file exists or cannot be written, or the database does not answer.
pub(crate) async fn write(database: &Database, path: &Path) -> anyhow::Result<u64> {
    let written = async {
        let file = File::options().write(true).create_new(true).mode(PRIVATE_FILE_MODE).open(path)?;
        let mut out = BufWriter::new(file);
        writeln!(out, "{}", serde_json::to_string(&DataKeyLine::begin())?)?;
        let (mut keys, mut after) = (0, String::new());
        loop {
            let page = database.data_keys().export_page(&after).await?;
            let Some(DataKeyLine::Key { id, .. }) = page.last() else { break };
            after.clone_from(id);
            keys += page.len() as u64;
            for line in &page {
                writeln!(out, "{}", serde_json::to_string(line)?)?;
            }
        }
        out.flush()?;
        out.get_ref().sync_all()?;
        anyhow::Ok(keys)
    };
    written.await.with_context(|| format!("writing the data keys into {}", path.display()))
}
