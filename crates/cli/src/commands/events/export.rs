//! `ytcaption events export`

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use futures::TryStreamExt as _;
use serde_json::json;
use tempfile::NamedTempFile;
use ytcaption_eventstore::{Cursor, Database, EventQuery, EventReader, Exporter};

use super::STREAM;
use crate::commands::Global;
use crate::commands::bar::Bar;
use crate::commands::output::{self, Output};
use crate::commands::store::{self, WHERE};
use crate::data_key_file;

/// Write all events as JSON, one a line, in the order in which they happened
#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  ytcaption events export events.jsonl
  ytcaption events export --keys events.keys | gzip > events.jsonl.gz
  ytcaption events export --decrypt | jq .payload

An export holds each event as it is stored, except transaction ids and positions, which mean nothing in another database:
personal content is encrypted. The data keys are written into a file of their own, FILE.keys, wrapped with the master key;
an import without that file reads personal content as erased. Audio is not part of it: it is in the storage. Events that
are being written while the export begins come with the next one. The seals are in it, so `ytcaption events verify
--from-file` finds out whether it was changed, and its last line shows whether it is complete. `jq 'select(.event_type)'`
leaves only the events.

With --decrypt personal content is readable. Such a file cannot be verified or imported, because it does not hold what is
sealed; keep it as private as the database.
{WHERE}"))]
pub(in crate::commands) struct Export {
    /// File to write, which must not exist yet [default: -, standard output]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// File for the data keys, which must not exist yet [default: FILE.keys; none with standard output]
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Write personal content in plaintext, for people; the file cannot be verified or imported
    #[arg(long, conflicts_with = "keys")]
    decrypt: bool,
    /// Say in JSON how much was written; needs FILE
    #[arg(long, requires = "file")]
    json: bool,
}

impl Export {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        output::end(self.write(global).await)
    }

    async fn write(self, global: &Global) -> anyhow::Result<()> {
        let file = self.file.as_deref().filter(|file| *file != Path::new(STREAM));
        let keys = self.keys.or_else(|| file.filter(|_| !self.decrypt).map(data_key_file::beside));
        if let Some(existing) = file.into_iter().chain(keys.as_deref()).find(|file| file.exists()) {
            bail!("{} exists already and is not overwritten; name another file", existing.display());
        }
        let database = store::open_sealed(global).await?;
        let write = async |out: &mut (dyn Write + Send)| {
            if self.decrypt { write_plaintext(&database, out).await } else { write_export(&database, out).await }
        };
        let events = match file {
            Some(file) => write_file(file, write).await.with_context(|| format!("cannot write {}", file.display()))?,
            None => write(&mut BufWriter::new(std::io::stdout())).await?,
        };
        // After the events, so that none lacks its key.
        let data_keys = match &keys {
            Some(keys) => Some(data_key_file::write(&database, keys).await?),
            None => None,
        };
        if self.decrypt {
            eprintln!("ytcaption: this is plaintext: it cannot be verified or imported");
        } else if keys.is_none() {
            eprintln!("ytcaption: no data keys were written: an import reads personal content as erased (see --keys)");
        }
        let Some(file) = file else { return Ok(()) };
        let mut out = Output::new();
        if self.json {
            out.json(&json!({ "events": events, "file": file, "data_keys": data_keys, "keys_file": keys }))?;
        } else {
            out.line(&format!("{events} events are in {}.", file.display()))?;
            if let (Some(count), Some(keys)) = (data_keys, &keys) {
                out.line(&format!("{count} data keys are in {}.", keys.display()))?;
            }
        }
        Ok(out.flush()?)
    }
}

/// The file is complete or not there at all, at any moment.
async fn write_file(
    file: &Path,
    write: impl AsyncFnOnce(&mut (dyn Write + Send)) -> anyhow::Result<u64>,
) -> anyhow::Result<u64> {
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut unfinished = NamedTempFile::new_in(directory)?;
    let events = write(&mut BufWriter::new(unfinished.as_file_mut())).await?;
    unfinished.as_file().sync_all()?;
    unfinished.persist_noclobber(file)?;
    Ok(events)
}

/// Every event as it is read, its personal content in plaintext.
async fn write_plaintext(database: &Database, out: &mut (dyn Write + Send)) -> anyhow::Result<u64> {
    let reader = EventReader::new(database);
    let mut pages = pin!(reader.pages(EventQuery::default(), Cursor::default()));
    let (mut events, mut encrypted) = (0, 0);
    while let Some(page) = pages.try_next().await? {
        for event in &page {
            encrypted += u64::from(event.corrupt.is_some());
            writeln!(out, "{}", serde_json::to_string(event)?)?;
        }
        events += page.len() as u64;
    }
    out.flush()?;
    if encrypted > 0 {
        bail!(
            "{encrypted} of {events} events cannot be decrypted or are corrupt (their member `corrupt` says why), so not all of \
             it is plaintext"
        );
    }
    Ok(events)
}

async fn write_export(database: &Database, out: &mut (dyn Write + Send)) -> anyhow::Result<u64> {
    let mut export = Exporter::begin(database).await?;
    let bar = Bar::new("exporting");
    loop {
        let lines = export.next_lines().await?;
        if lines.is_empty() {
            break;
        }
        for line in &lines {
            writeln!(out, "{line}")?;
        }
        bar.set(export.events(), export.total());
    }
    out.flush()?;
    bar.clear();
    Ok(export.events())
}
