//! `ytcaption audit`

use std::pin::pin;
use std::process::ExitCode;

use clap::Args;
use futures::TryStreamExt as _;
use ytcaption_eventstore::Cursor;

use super::Global;
use super::event_format::EventFormat;
use super::filters::{Filters, TIMES};
use super::output::{self, Output};
use super::store::{self, WHERE};

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
}

impl Audit {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        output::end(self.print(global).await)
    }

    async fn print(self, global: &Global) -> anyhow::Result<()> {
        let reader = store::open(global).await?;
        let format = if self.json { EventFormat::Jsonl } else { self.format };
        let mut out = Output::new();
        if let Some(heading) = format.heading() {
            out.line(&heading)?;
        }
        let mut found = false;
        let mut pages = pin!(reader.pages(self.filters.query(), Cursor::default()));
        while let Some(page) = pages.try_next().await? {
            found = true;
            for event in &page {
                out.line(&format.line(event)?)?;
            }
        }
        out.flush()?;
        if !found {
            eprintln!("ytcaption: no event matches");
        }
        Ok(())
    }
}
