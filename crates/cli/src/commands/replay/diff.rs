//! `ytcaption replay diff`

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use ytcaption_application::JobDifference;
use ytcaption_domain::JobId;
use ytcaption_projections::AsOf;

use crate::commands::Global;
use crate::commands::output::{self, Output};
use crate::commands::store::{self, WHERE};

/// Show what changed in a job between two versions or times
#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  ytcaption replay diff 0199a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f 1 5
  ytcaption replay diff 0199a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f 2026-01-31T14:05:00Z 2026-01-31T14:06:00Z --json

{WHERE}"))]
pub(in crate::commands) struct Diff {
    /// The job
    #[arg(value_name = "JOB")]
    job: JobId,
    /// The earlier version or time
    #[arg(value_name = "VERSION|TIME")]
    from: AsOf,
    /// The later version or time
    #[arg(value_name = "VERSION|TIME")]
    to: AsOf,
    /// As a JSON document
    #[arg(long)]
    json: bool,
}

impl Diff {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        output::end(self.print(global).await)
    }

    async fn print(self, global: &Global) -> anyhow::Result<()> {
        let queries = store::queries(global).await?;
        let principal = queries.as_owner_of(&store::operator(), self.job).await?;
        let JobDifference { from_version, to_version, changes } =
            queries.difference(&principal, self.job, self.from, self.to).await?;
        let mut out = Output::new();
        if self.json {
            out.json(&json!({ "job_id": self.job, "from": from_version, "to": to_version, "changes": changes }))?;
        } else {
            out.line(&format!("Job {} from version {from_version} to {to_version}:", self.job))?;
            for change in &changes {
                out.line(&format!("  {:<28} {} -> {}", change.path, change.before, change.after))?;
            }
            if changes.is_empty() {
                out.line("  nothing changed")?;
            }
        }
        Ok(out.flush()?)
    }
}
