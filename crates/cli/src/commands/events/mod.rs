//! `ytcaption events`: looking into the event store, moving it, verifying it

mod checkpoint;
mod export;
mod import;
mod schemas;
mod show;
mod tail;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

use super::Global;

/// Means standard output or input instead of a file.
const STREAM: &str = "-";

/// Look into the event store, export it, import it, verify that nothing was changed
#[derive(Debug, Subcommand)]
pub(super) enum Events {
    Tail(tail::Tail),
    Show(show::Show),
    Export(export::Export),
    Import(import::Import),
    Verify(verify::Verify),
    Checkpoint(checkpoint::Checkpoint),
    Schemas(schemas::Schemas),
}

impl Events {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        match self {
            Self::Tail(tail) => tail.run(global).await,
            Self::Show(show) => show.run(global).await,
            Self::Export(export) => export.run(global).await,
            Self::Import(import) => import.run(global).await,
            Self::Verify(verify) => verify.run(global).await,
            Self::Checkpoint(checkpoint) => checkpoint.run(global).await,
            Self::Schemas(schemas) => schemas.run(),
        }
    }
}
