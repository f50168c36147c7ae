//! `ytcaption events export`

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
use tempfile::NamedTempFile;
use ytcaption_eventstore::Exporter;

use super::STREAM;
use crate::commands::Global;
use crate::commands::bar::Bar;
use crate::commands::output::{self, Output};
use crate::commands::store::{self, WHERE};

/// Write all events as JSON, one a line, in the order in which they happened
#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  ytcaption events export events.jsonl
  ytcaption events export | gzip > events.jsonl.gz

Everything is in it but transaction ids and positions, which mean nothing in another database: envelope, payload,
metadata, times. URLs of webhooks are in it too, so keep it as private as the database. Audio is not: it is in
the storage. Events that are being written while the export begins come with the next one. The seals are in it, so
`ytcaption events verify --from-file` finds out whether it was changed, and its last line shows whether it is complete.
`jq 'select(.event_type)'` leaves only the events.
{WHERE}"))]
pub(in crate::commands) struct Export {
    /// File to write, which must not exist yet [default: -, standard output]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
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
        if let Some(there) = file.filter(|file| file.exists()) {
            bail!("{} exists already and is not overwritten; name another file", there.display());
        }
        let export = Exporter::begin(&store::open_sealed(global).await?).await?;
        let Some(file) = file else {
            export_to(export, BufWriter::new(std::io::stdout())).await?;
            return Ok(());
        };
        let events = export_to_file(export, file).await.with_context(|| format!("cannot write {}", file.display()))?;
        let mut out = Output::new();
        if self.json {
            out.json(&json!({ "events": events, "file": file }))?;
        } else {
            out.line(&format!("{events} events are in {}.", file.display()))?;
        }
        Ok(out.flush()?)
    }
}

/// The file is complete or not there at all, at any moment.
async fn export_to_file(export: Exporter, file: &Path) -> anyhow::Result<u64> {
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut unfinished = NamedTempFile::new_in(directory)?;
    let events = export_to(export, BufWriter::new(unfinished.as_file_mut())).await?;
    unfinished.as_file().sync_all()?;
    unfinished.persist_noclobber(file)?;
    Ok(events)
}

async fn export_to(mut export: Exporter, mut out: impl Write) -> anyhow::Result<u64> {
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
