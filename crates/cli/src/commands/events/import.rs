//! `ytcaption events import`

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::json;
use ytcaption_eventstore::{Imported, Importer};

use super::STREAM;
use crate::commands::Global;
use crate::commands::bar::Bar;
use crate::commands::output::{self, Output};
use crate::commands::store;
use crate::data_key_file;

/// Fill an empty event store from an export, all of it or nothing
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  createdb copy && DATABASE_URL=postgres://localhost/copy ytcaption events import events.jsonl
  zcat events.jsonl.gz | DATABASE_URL=… ytcaption events import - --keys events.keys

The database in DATABASE_URL (or database.url; with database.owner_url, as its owner) must contain no events; the command
creates the schema if it is missing. It rejects a gap, a duplicate or an invalid line with the line number, and also an
export that is truncated or was changed; then it imports nothing. A system that runs on the store continues the unfinished jobs. It needs the same storage
for their audio, and the same master key.")]
pub(in crate::commands) struct Import {
    /// The export; - reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// File with the data keys [default: FILE.keys, if it is there]
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Say in JSON how much was imported
    #[arg(long)]
    json: bool,
}

impl Import {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        output::end(self.import(global).await)
    }

    async fn import(self, global: &Global) -> anyhow::Result<()> {
        let (input, bytes) = open(&self.file)?;
        let keys = data_keys(&self.file, self.keys.as_deref())?;
        let database = store::connect_as_owner(global).await?;
        database.prepare().await?;
        let bar = Bar::new("importing");
        let outcome = import(Importer::begin(database.pool()).await?, keys.as_deref(), input, bytes, &bar).await;
        bar.clear();
        let Imported { events, seals, data_keys } = outcome?;
        if data_keys.without_key > 0 {
            eprintln!(
                "ytcaption: {} of {} jobs have no data key: their personal content reads as erased. If it was not erased, \
                 import the export into another empty store with its complete file of keys (--keys)",
                data_keys.without_key,
                data_keys.without_key + data_keys.with_key
            );
        }
        let unknown = database.data_keys().count().await?.into_iter().filter(|count| !count.available);
        for count in unknown {
            let id = count.master_key.map_or_else(|| "unknown".to_owned(), |id| id.to_string());
            eprintln!(
                "ytcaption: {} data keys are wrapped with the master key {id}, which is not available here: set it, or name \
                 its file in encryption.previous_key_files, before the system is started",
                count.data_keys
            );
        }
        let jobs = data_keys.with_key + data_keys.without_key;
        let mut out = Output::new();
        if self.json {
            out.json(&json!({ "events": events, "seals": seals, "data_keys": data_keys }))?;
        } else {
            out.line(&format!("{events} events of {jobs} jobs are in the store now."))?;
        }
        Ok(out.flush()?)
    }
}

/// The text of the file of data keys: the one that is named, else the one beside the export.
fn data_keys(export: &Path, named: Option<&Path>) -> anyhow::Result<Option<String>> {
    let beside = data_key_file::beside(export);
    let Some(file) = named.or(Some(beside.as_path()).filter(|beside| beside.exists())) else { return Ok(None) };
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display())).map(Some)
}

/// The lines to read and how many bytes they are; 0 if that is not known.
fn open(path: &Path) -> anyhow::Result<(Box<dyn BufRead>, u64)> {
    if path == Path::new(STREAM) {
        return Ok((Box::new(std::io::stdin().lock()), 0));
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    Ok((Box::new(BufReader::new(file)), bytes))
}

async fn import(
    mut importer: Importer,
    keys: Option<&str>,
    mut input: Box<dyn BufRead>,
    bytes: u64,
    bar: &Bar,
) -> anyhow::Result<Imported> {
    let (mut line, mut number, mut read) = (Vec::new(), 0_u64, 0);
    loop {
        line.clear();
        number += 1;
        let length = input.read_until(b'\n', &mut line).with_context(|| format!("reading line {number}"))?;
        if length == 0 {
            return Ok(importer.finish(keys).await?);
        }
        let text = std::str::from_utf8(line.strip_suffix(b"\n").unwrap_or(&line))
            .map_err(|_| anyhow!("line {number}: it is not text in UTF-8; nothing was imported"))?;
        importer.add(text).await?;
        read += length as u64;
        bar.set(read, bytes);
    }
}
