//! `ytcaption replay`: jobs as of an earlier version or time, read models and messages, from the events

mod diff;
mod job;
mod parked;
mod progress;
mod projection;
mod retry;
mod stream;
mod verify;

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use ytcaption_eventstore::Database;

use super::Global;
use super::store;

/// Replay events: a job as of an earlier version or time, read models, messages on JetStream
#[derive(Debug, Subcommand)]
pub(super) enum Replay {
    Job(job::Job),
    Diff(diff::Diff),
    Projection(projection::Projection),
    Verify(verify::Verify),
    Parked(parked::Parked),
    Retry(retry::Retry),
    Stream(stream::Stream),
}

impl Replay {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        match self {
            Self::Job(job) => job.run(global).await,
            Self::Diff(diff) => diff.run(global).await,
            Self::Projection(projection) => projection.run(global).await,
            Self::Verify(verify) => verify.run(global).await,
            Self::Parked(parked) => parked.run(global).await,
            Self::Retry(retry) => retry.run(global).await,
            Self::Stream(stream) => stream.run(global).await,
        }
    }
}

/// The database of the read models, which must be as this program knows them.
async fn read_models(global: &Global) -> anyhow::Result<Database> {
    let database = store::open_database(global).await?;
    let there = "SELECT to_regclass('read_models') IS NOT NULL";
    if sqlx::query_scalar(there).fetch_one(database.pool()).await? {
        return Ok(database);
    }
    bail!("the schema of this database is of an older version of the program: run `ytcaption migrate` first")
}
