//! `ytcaption replay projection`

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use serde_json::json;
use ytcaption_projections::{Rebuild, RegisteredProjection, Switched};

use super::progress::Progress;
use super::read_models;
use crate::commands::Global;
use crate::commands::output::{self, Output};
use crate::commands::store::WHERE;

/// Rebuild a read model from all events beside the live one, and switch to it
#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  ytcaption replay projection jobs
  ytcaption replay projection jobs --json | tail -1 | jq .parked

Read models: jobs (what clients see of each job, and its text), usage (what each account has used on each day).

Queries are answered throughout: from the live read model until the new one has caught up with it, from the new one after
that. Projectors continue and need no restart. A rebuild has no side effects: it publishes no message and sends no webhook.
You may interrupt it; the next one starts again and removes the rows that are left. It needs disk space for a second read
model.
{WHERE}"))]
pub(in crate::commands) struct Projection {
    /// The read model
    #[arg(value_name = "NAME")]
    read_model: RegisteredProjection,
    /// Switch even if this would park events that the live read model has applied
    #[arg(long)]
    accept_parked: bool,
    /// Print progress and result as JSON lines
    #[arg(long)]
    json: bool,
}

impl Projection {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        output::end(self.rebuild(global).await)
    }

    async fn rebuild(self, global: &Global) -> anyhow::Result<()> {
        let database = read_models(global).await?;
        let (mut out, began) = (Output::new(), Instant::now());
        let mut rebuild = Rebuild::begin(&database, self.read_model).await?;
        let mut progress = Progress::new(self.json);
        while rebuild.advance().await? {
            progress.set(rebuild.progress(), &mut out)?;
        }
        progress.step("switching");
        let switched = rebuild.switch(self.accept_parked).await;
        progress.step("tidying up");
        if let Err(error) = rebuild.end().await {
            eprintln!("ytcaption: superseded rows are left; the next rebuild removes them ({error})");
        }
        progress.clear();
        self.print(switched?, began, &mut out)
    }

    fn print(&self, switched: Switched, began: Instant, out: &mut Output) -> anyhow::Result<()> {
        let Switched { events, parked, generation } = switched;
        let seconds = began.elapsed().as_secs_f64();
        if self.json {
            let result = json!({
                "step": "switched", "projection": self.read_model.name(), "events": events, "parked": parked,
                "generation": generation, "seconds": seconds,
            });
            out.line(&result.to_string())?;
        } else {
            let name = self.read_model.name();
            out.line(&format!("Queries see the new read model `{name}`: {events} events in {seconds:.1} s."))?;
            if parked > 0 {
                out.line(&format!("{parked} of them are parked; `ytcaption replay parked` says why."))?;
            }
        }
        Ok(out.flush()?)
    }
}
