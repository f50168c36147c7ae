//! `ytcaption events show`

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use uuid::Uuid;
use ytcaption_eventstore::RecordedEvent;

use crate::commands::Global;
use crate::commands::output::{self, Output};
use crate::commands::reveal::Reveal;
use crate::commands::store::{self, WHERE};

/// Print one event, or all events of a job, in full
#[derive(Debug, Args)]
#[command(after_help = format!("\
Example:
  ytcaption events show 0199a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f

{WHERE}"))]
pub(in crate::commands) struct Show {
    /// Id of a job or of an event
    #[arg(value_name = "ID")]
    id: Uuid,
    /// As a list in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reveal: Reveal,
}

impl Show {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        output::end(self.print(global).await)
    }

    async fn print(self, global: &Global) -> anyhow::Result<()> {
        let reader = store::open(global).await?;
        let mut events = reader.with_data_key(self.id).await?;
        if events.is_empty() {
            events.extend(reader.find(self.id).await?);
        }
        if events.is_empty() {
            bail!("no job and no event has the id {}; `ytcaption audit` lists all events", self.id);
        }
        let events: Vec<_> = events.iter().map(|event| self.reveal.event(event)).collect();
        let mut out = Output::new();
        if self.json {
            out.json(&events)?;
        } else {
            for event in &events {
                out.line(&text(event)?)?;
            }
        }
        Ok(out.flush()?)
    }
}

fn text(event: &RecordedEvent) -> serde_json::Result<String> {
    let context = &event.metadata.context;
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let fields = [
        ("event", format!("{} (version {})", event.event_type, event.event_version)),
        ("id", event.metadata.event_id.to_string()),
        ("recorded", event.recorded_at.to_rfc3339()),
        ("actor", context.actor.to_string()),
        ("account", context.account.to_string()),
        ("caused by", or_none(context.causation_id.map(|id| id.to_string()))),
        ("correlation", context.correlation_id.to_string()),
        ("trace", or_none(context.traceparent.clone())),
        ("payload", serde_json::to_string_pretty(&event.payload)?.replace('\n', "\n  ")),
    ];
    let line = |(name, value)| format!("  {name:<12} {value}\n");
    let corrupt = event.corrupt.as_ref().map(|corrupt| line(("corrupt", corrupt.to_string())));
    let erased = event.erased.then(|| line(("erased", "personal content was erased".to_owned())));
    let lines = fields.map(line).concat() + &corrupt.or(erased).unwrap_or_default();
    Ok(format!("{} {} #{}\n{lines}", event.aggregate_type, event.aggregate_id, event.sequence))
}
