//! `ytcaption events verify`

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use ytcaption_eventstore::seal::{Checkpoint, FileVerifier, Finding, Report, Verifier};
use ytcaption_eventstore::{Clock, Cursor, Feed};

use super::STREAM;
use crate::commands::Global;
use crate::commands::bar::Bar;
use crate::commands::output::Output;
use crate::commands::store;
use crate::signing_key;

/// An event that is older and not sealed means that no process seals, or that seals were removed.
const SEALED_AFTER: TimeDelta = TimeDelta::minutes(10);
/// Findings that are printed; all are in the JSON.
const PRINTED: usize = 100;

/// Find every event that was changed, removed, inserted or moved since it was sealed, and say where
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ytcaption events verify
  ytcaption events verify --public-key ytcaption.events+1a2b3c4d+AX… --checkpoint checkpoint.txt
  ytcaption events verify --from-file events.jsonl --json

Every event is part of a chain of hashes that `ytcaption seal` signs every few seconds. The newest few events are not
covered yet. A position such as `(at 4711-12)` is the event's transaction and position in the database.

What this cannot find: changes by a person who has the database and the private key and seals everything anew, and a
tail cut off together with its seals. Against both, keep checkpoints elsewhere (`ytcaption events checkpoint`) and give
one with --checkpoint.

Reads the database in DATABASE_URL (or database.url), else that of the `ytcaption up` of the data directory; with
--from-file no database at all. Ends with code 1 if anything is found.")]
pub(in crate::commands) struct Verify {
    /// Verify an export instead of a database; - reads standard input
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// The key that seals must be signed with, or a file that holds it; may be given again [default: that of
    /// `seal.key_file`, where it can be read]
    #[arg(long, value_name = "KEY")]
    public_key: Vec<String>,
    /// A checkpoint that was kept elsewhere
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// What was found, as a JSON object
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let settings = global.load()?.settings;
        let mut keys =
            self.public_key.iter().map(|key| signing_key::parse_public(key)).collect::<anyhow::Result<Vec<_>>>()?;
        if keys.is_empty() {
            keys.extend(signing_key::public_of_seals(&settings));
        }
        let read = |path: &PathBuf| {
            let note = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            // As `events checkpoint` prints it, the last line's end may be missing.
            anyhow::Ok(format!("{}\n", note.trim_end()))
        };
        let checkpoint = self.checkpoint.as_ref().map(read).transpose()?;
        let verifier = Verifier::trusting(keys).with_checkpoint(checkpoint);
        let bar = Bar::new("verifying");
        let outcome = match &self.from_file {
            Some(file) => verify_file(verifier, file, &bar),
            None => verify_database(verifier, global, &bar).await,
        };
        bar.clear();
        let report = outcome?;
        let mut out = Output::new();
        if self.json {
            out.json(&report)?;
        } else {
            print(&mut out, &report)?;
        }
        out.flush()?;
        Ok(if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

async fn verify_database(verifier: Verifier, global: &Global, bar: &Bar) -> anyhow::Result<Report> {
    let database = store::open_sealed(global).await?;
    let total = Feed::new(&database).lag(Cursor::default(), u32::MAX).await?;
    let mut report = verifier.database(database.pool(), |events| bar.set(events, total)).await?;
    let overdue = |since: &DateTime<Utc>| Clock::system().now() - since > SEALED_AFTER;
    if let Some(since) = report.unsealed_since.filter(overdue) {
        report.findings.push(Finding::Unsealed { events: report.events - report.sealed.min(report.events), since });
    }
    Ok(report)
}

fn verify_file(verifier: Verifier, path: &Path, bar: &Bar) -> anyhow::Result<Report> {
    let (mut input, bytes): (Box<dyn BufRead>, u64) = if path == Path::new(STREAM) {
        (Box::new(std::io::stdin().lock()), 0)
    } else {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        (Box::new(BufReader::new(file)), bytes)
    };
    let mut verifier = FileVerifier::new(verifier);
    let (mut line, mut read) = (Vec::new(), 0);
    loop {
        line.clear();
        let length = input.read_until(b'\n', &mut line).with_context(|| format!("reading {}", path.display()))?;
        if length == 0 {
            return Ok(verifier.finish());
        }
        // What is not UTF-8 is not a line of an export, and is reported as such.
        verifier.line(String::from_utf8_lossy(&line).trim_end_matches('\n'));
        read += length as u64;
        bar.set(read, bytes);
    }
}

fn print(out: &mut Output, report: &Report) -> std::io::Result<()> {
    let Report { events, sealed, seals, checkpoint, signed_by, trusted, findings, .. } = report;
    let said = checkpoint.as_deref().and_then(Checkpoint::parse);
    let until = said.map(|said| format!(", the last of {}", said.sealed_at)).unwrap_or_default();
    out.line(&format!("{events} events; the first {sealed} are covered by {seals} seals{until}."))?;
    if events > sealed {
        out.line(&format!("The newest {} are not covered yet.", events - sealed))?;
    }
    for key in signed_by {
        out.line(&format!("Signed with {key}"))?;
    }
    if !trusted && *seals > 0 {
        out.line(
            "The key was not checked (no --public-key): a person with another key could have sealed everything again.",
        )?;
    }
    for finding in findings.iter().take(PRINTED) {
        out.line(&format!("- {finding}"))?;
    }
    match findings.len() {
        0 => out.line("Nothing was changed, removed, inserted or moved."),
        count if count > PRINTED => out.line(&format!("{count} findings; --json lists all of them.")),
        count => out.line(&format!("{count} findings.")),
    }
}
