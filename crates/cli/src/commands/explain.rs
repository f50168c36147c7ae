//! `ytcaption explain`

use std::process::ExitCode;

use chrono::SecondsFormat;
use clap::Args;
use ytcaption_domain::JobId;
use ytcaption_projections::{Timeline, TimelineEntry};

use super::Global;
use super::output::{self, Output};
use super::store::{self, WHERE};

const SECOND_MS: u64 = 1000;

/// What happened to a job, as one timeline: who did what, waits, attempts, retries, webhooks
#[derive(Debug, Args)]
#[command(after_help = format!("\
Example:
  ytcaption explain 0199a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f

{WHERE}"))]
pub(super) struct Explain {
    /// The job
    #[arg(value_name = "JOB")]
    job: JobId,
    /// As a JSON document
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        output::end(self.print(global).await)
    }

    async fn print(self, global: &Global) -> anyhow::Result<()> {
        let queries = store::queries(global).await?;
        let principal = queries.as_owner_of(&store::operator(), self.job).await?;
        let timeline = queries.explain(&principal, self.job).await?;
        let mut out = Output::new();
        if self.json {
            out.json(&timeline)?;
        } else {
            for line in text(&timeline) {
                out.line(&line)?;
            }
        }
        Ok(out.flush()?)
    }
}

fn text(timeline: &Timeline) -> Vec<String> {
    let status = timeline.status.map_or("of unknown status".to_owned(), |status| status.to_string());
    let erased = if timeline.erased { " Personal content of it was erased." } else { "" };
    let mut lines = vec![format!("Job {} is {status}.{erased}", timeline.job_id)];
    let began_at = timeline.began_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
    let facts = [
        ("submitted", began_at),
        ("took", timeline.took_ms.map(seconds)),
        ("attempts", Some(attempts(timeline))),
        ("trace", timeline.trace_id.clone()),
        ("correlation", timeline.correlation_id.map(|id| id.to_string())),
    ];
    lines.extend(facts.into_iter().filter_map(|(name, fact)| Some(format!("  {name:<12} {}", fact?))));
    lines.push(String::new());
    let actor_width = timeline.entries.iter().map(|entry| entry.actor.len()).max().unwrap_or_default();
    lines.extend(timeline.entries.iter().map(|entry| line(entry, actor_width)));
    lines
}

fn attempts(timeline: &Timeline) -> String {
    let Timeline { download_attempts, chunk_attempts, webhook_attempts, .. } = timeline;
    format!("{download_attempts} at the download, {chunk_attempts} at chunks, {webhook_attempts} at the webhook")
}

fn line(entry: &TimelineEntry, actor_width: usize) -> String {
    let after = format!("+{}", seconds(entry.after_ms));
    let events = if entry.events > 1 { format!(" [{} events]", entry.events) } else { String::new() };
    format!("{after:>14}  {:<actor_width$}  {}{events}", entry.actor, entry.text)
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / SECOND_MS, ms % SECOND_MS)
}
