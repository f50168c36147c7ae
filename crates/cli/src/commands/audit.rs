//! `ytcaption audit`

use std::process::ExitCode;

use clap::Args;
use ytcaption_eventstore::Cursor;

use super::Global;
use super::event_format::EventFormat;
use super::filters::{Filters, TIMES};
use super::output::{self, Output};
use super::reveal::Reveal;
use super::store::{self, WHERE};

/// Events read at a time.
const PAGE_EVENTS: u32 = 500;

/// Who did what, when and why: all events that match, oldest first
#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  ytcaption audit --job 0199a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f
  ytcaption audit --type DownloadAttemptFailed --since 24h
  ytcaption audit --actor client: --since 2026-01-01 --until 2026-02-01 --format csv > january.csv
  ytcaption audit --correlation 0199a2b4-… --json

{TIMES}
{WHERE}"))]
pub(super) struct Audit {
    #[command(flatten)]
    filters: Filters,
    /// How to print them
    #[arg(long, value_enum, default_value_t = EventFormat::Text)]
    format: EventFormat,
    /// The same as --format jsonl
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    reveal: Reveal,
}

impl Audit {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        output::end(self.print(global).await)
    }

    async fn print(self, global: &Global) -> anyhow::Result<()> {
        let queries = store::queries(global).await?;
        let format = if self.json { EventFormat::Jsonl } else { self.format };
        let mut out = Output::new();
        if let Some(heading) = format.heading() {
            out.line(&heading)?;
        }
        let (operator, query) = (store::operator(), self.filters.query());
        let mut found = false;
        let mut next = Some(Cursor::default());
        while let Some(cursor) = next {
            let page = queries.audit_events(&operator, &query, cursor, PAGE_EVENTS).await?;
            for event in &page.events {
                found = true;
                out.line(&format.line(&self.reveal.event(event))?)?;
            }
            next = page.next;
        }
        out.flush()?;
        if !found {
            eprintln!("ytcaption: no event matches");
        }
        Ok(())
    }
}
