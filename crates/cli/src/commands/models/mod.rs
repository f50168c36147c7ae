//! `ytcaption models`

mod list;
mod pull;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

use super::Global;

/// List, fetch and check Whisper models
#[derive(Debug, Subcommand)]
pub(super) enum Models {
    List(list::List),
    Pull(pull::Pull),
    Verify(verify::Verify),
}

impl Models {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(list) => list.run(global),
            Self::Pull(pull) => pull.run(global).await,
            Self::Verify(verify) => verify.run(global).await,
        }
    }
}

/// A size as people read it: MB, as the hub shows it too.
fn megabytes(bytes: u64) -> String {
    const MEGABYTE: u64 = 1_000_000;
    match bytes.div_ceil(MEGABYTE) {
        small @ 0..10_000 => format!("{small} MB"),
        large => format!("{} GB", large.div_ceil(1000)),
    }
}
