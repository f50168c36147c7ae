//! `ytcaption replay parked`

use std::process::ExitCode;

use chrono::SecondsFormat;
use clap::Args;
use serde_json::json;
use ytcaption_application::Queries;
use ytcaption_projections::{ParkedCursor, ParkedEvent, RegisteredProjection};

use super::read_models;
use crate::commands::Global;
use crate::commands::output::{self, Output};
use crate::commands::store::{self, WHERE};

/// List the parked events: those that could not be applied to a read model, and why
#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  ytcaption replay parked
  ytcaption replay parked jobs
  ytcaption replay parked --json | jq -r .error

A parked event blocks the later events of the same job, and lists show the job as of the event before it. All other jobs
continue. Once the cause is gone, usually because a newer version of the program runs, `ytcaption replay retry` applies
them; the projector also retries when it starts and every minute.
{WHERE}"))]
pub(in crate::commands) struct Parked {
    /// Only those of this read model [default: all]
    #[arg(value_name = "NAME")]
    projection: Option<RegisteredProjection>,
    /// Most events to list
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 100)]
    lines: u32,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

impl Parked {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        output::end(self.print(global).await)
    }

    async fn print(self, global: &Global) -> anyhow::Result<()> {
        let queries = Queries::new(&read_models(global).await?);
        let of = self.projection.as_ref();
        let page = queries.parked_events(&store::operator(), of, ParkedCursor::default(), self.lines).await?;
        let (count, events) = (page.total, page.events);
        let mut out = Output::new();
        if self.json {
            for event in &events {
                out.line(&json!(event).to_string())?;
            }
            return Ok(out.flush()?);
        }
        out.line(&match count {
            0 => "Every event is applied.".to_owned(),
            _ => format!("{count} events are parked, those that others block last:"),
        })?;
        for event in &events {
            out.line(&text(event))?;
        }
        let more = count.saturating_sub(events.len() as u64);
        if more > 0 {
            out.line(&format!("… and {more} more; --lines shows them"))?;
        }
        Ok(out.flush()?)
    }
}

fn text(event: &ParkedEvent) -> String {
    let ParkedEvent { projection, aggregate_type, aggregate_id, sequence, event_type, event_version, error, .. } =
        event;
    let since = event.parked_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    format!(
        "  {projection}: {aggregate_type} {aggregate_id} #{sequence} {event_type} version {event_version}, since {since}\n    {error}"
    )
}
