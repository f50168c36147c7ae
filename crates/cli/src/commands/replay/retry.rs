//! `ytcaption replay retry`

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::json;
use ytcaption_projections::{PROJECTIONS, ParkedEvents, RegisteredProjection, Retried};

use super::read_models;
use crate::commands::Global;
use crate::commands::output::{self, Output};
use crate::commands::store::WHERE;

/// Retry the parked events
#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  ytcaption replay retry
  ytcaption replay retry --json | jq .parked

The events of each job are applied in their order, up to the first that still cannot be applied. Exit code 1 if any stay
parked; `ytcaption replay parked` says why. A retry has no side effects: it publishes no message and sends no webhook.
{WHERE}"))]
pub(in crate::commands) struct Retry {
    /// Only those of this read model [default: all]
    #[arg(value_name = "NAME")]
    projection: Option<RegisteredProjection>,
    /// As a JSON document
    #[arg(long)]
    json: bool,
}

impl Retry {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        output::end(self.retry(global).await)
    }

    async fn retry(self, global: &Global) -> anyhow::Result<()> {
        let parked = ParkedEvents::new(&read_models(global).await?);
        let mut retried = Retried::default();
        for projection in self.projection.map_or(PROJECTIONS.to_vec(), |one| vec![one]) {
            let Retried { applied, parked } = parked.retry(&projection, u32::MAX).await?;
            retried.applied += applied;
            retried.parked += parked;
        }
        let mut out = Output::new();
        if self.json {
            out.json(&json!(retried))?;
        } else {
            out.line(&format!("{} parked events are applied now.", retried.applied))?;
        }
        out.flush()?;
        if retried.parked > 0 {
            bail!("{} events stay parked; `ytcaption replay parked` says why", retried.parked);
        }
        Ok(())
    }
}
