//! `ytcaption replay`: the past, made again from the events

mod diff;
mod job;

use std::process::ExitCode;

use clap::Subcommand;

use super::Global;

/// Show the past as it was, made again from the events; changes nothing
#[derive(Debug, Subcommand)]
pub(super) enum Replay {
    Job(job::Job),
    Diff(diff::Diff),
}

impl Replay {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        match self {
            Self::Job(job) => job.run(global).await,
            Self::Diff(diff) => diff.run(global).await,
        }
    }
}
