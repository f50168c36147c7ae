//! `ytcaption events`: looking into the event store, and moving it

mod export;
mod import;
mod show;
mod tail;

use std::process::ExitCode;

use clap::Subcommand;

use super::Global;

/// Stands for standard output or input instead of a file.
const STREAM: &str = "-";

/// Look into the event store, export it, import it
#[derive(Debug, Subcommand)]
pub(super) enum Events {
    Tail(tail::Tail),
    Show(show::Show),
    Export(export::Export),
    Import(import::Import),
}

impl Events {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        match self {
            Self::Tail(tail) => tail.run(global).await,
            Self::Show(show) => show.run(global).await,
            Self::Export(export) => export.run(global).await,
            Self::Import(import) => import.run(global).await,
        }
    }
}
