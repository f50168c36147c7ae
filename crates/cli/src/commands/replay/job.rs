//! `ytcaption replay job`

use std::process::ExitCode;

use chrono::SecondsFormat;
use clap::Args;
use serde_json::Value;
use ytcaption_domain::JobId;
use ytcaption_projections::{AsOf, JobAt};

use crate::commands::Global;
use crate::commands::output::{self, Output};
use crate::commands::reveal::Reveal;
use crate::commands::store::{self, WHERE};

/// Show a job as it was after an event or at a time
#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  ytcaption replay job 0199a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f --at 3
  ytcaption replay job 0199a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f --at 2026-01-31T14:05:00Z --json

Version 3 is the job right after its third event; times are those at which the database recorded events.
{WHERE}"))]
pub(in crate::commands) struct Job {
    /// The job
    #[arg(value_name = "JOB")]
    id: JobId,
    /// The version or time [default: now]
    #[arg(long, value_name = "VERSION|TIME")]
    at: Option<AsOf>,
    /// As a JSON document: the aggregate and what clients saw
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reveal: Reveal,
}

impl Job {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        output::end(self.print(global).await)
    }

    async fn print(self, global: &Global) -> anyhow::Result<()> {
        let queries = store::queries(global).await?;
        let principal = queries.as_owner_of(&store::operator(), self.id).await?;
        let job = queries.at(&principal, self.id, self.at).await?;
        let mut out = Output::new();
        if self.json {
            out.json(&self.reveal.json(&job)?)?;
        } else {
            for line in text(&job, self.reveal.json(job.facts())?) {
                out.line(&line)?;
            }
        }
        Ok(out.flush()?)
    }
}

fn text(job: &JobAt, facts: Value) -> Vec<String> {
    let recorded_at = job.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let mut lines = vec![format!("Job {} at version {} ({}, {recorded_at}):", job.job_id, job.version, job.last_event)];
    // The facts that hold, by name; a list is shown as its length.
    if let Value::Object(facts) = facts {
        for (name, fact) in facts {
            let fact = match fact {
                Value::Null => continue,
                Value::String(text) => text,
                Value::Array(list) => format!("{} in all; --json shows them", list.len()),
                other => other.to_string(),
            };
            lines.push(format!("  {name:<18} {fact}"));
        }
    }
    lines
}
