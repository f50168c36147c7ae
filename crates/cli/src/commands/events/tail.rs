//! `ytcaption events tail`

use std::pin::pin;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use futures::TryStreamExt as _;
use ytcaption_eventstore::{Cursor, EventListener, EventReader, RecordedEvent};

use crate::commands::Global;
use crate::commands::event_format::EventFormat;
use crate::commands::filters::{Filters, TIMES};
use crate::commands::output::{self, Output};
use crate::commands::reveal::Reveal;
use crate::commands::store::{self, WHERE};
use crate::running::Shutdown;

/// Print the newest events, and those that come as they come; Ctrl-C ends it
#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  ytcaption events tail
  ytcaption events tail --lines 100 --no-follow
  ytcaption events tail --type JobFailed --json | jq .payload.failure.message

{TIMES}
{WHERE}"))]
pub(in crate::commands) struct Tail {
    #[command(flatten)]
    filters: Filters,
    /// How many of the events that are there to print
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 10)]
    lines: u32,
    /// End after them
    #[arg(long)]
    no_follow: bool,
    /// A JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reveal: Reveal,
}

impl Tail {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        output::end(self.print(global).await)
    }

    async fn print(self, global: &Global) -> anyhow::Result<()> {
        let database = store::open_database(global).await?;
        let reader = EventReader::new(&database);
        let shutdown = Shutdown::on_signals().context("listening for Ctrl-C")?;
        let query = self.filters.query();
        let format = if self.json { EventFormat::Jsonl } else { EventFormat::Text };
        let mut out = Output::new();
        // At least one, to know where to go on from.
        let newest = reader.newest(&query, self.lines.max(1)).await?;
        let after = newest.last().map_or(Cursor::default(), |event| event.cursor);
        if self.lines > 0 {
            print(&mut out, format, &self.reveal, &newest)?;
        }
        if self.no_follow {
            if newest.is_empty() {
                eprintln!("ytcaption: no event matches");
            }
            return Ok(());
        }
        let mut pages = pin!(reader.follow(query, after, EventListener::start(&database)));
        while let Some(page) = shutdown.drain.run_until_cancelled(pages.try_next()).await {
            print(&mut out, format, &self.reveal, &page?.unwrap_or_default())?;
        }
        Ok(())
    }
}

fn print(out: &mut Output, format: EventFormat, reveal: &Reveal, events: &[RecordedEvent]) -> anyhow::Result<()> {
    for event in events {
        out.line(&format.line(&reveal.event(event))?)?;
    }
    Ok(out.flush()?)
}
