//! `ytcaption settings`

use std::process::ExitCode;

use clap::Subcommand;

use super::Global;
use crate::settings::sample;

/// Print all settings
#[derive(Debug, Subcommand)]
pub(super) enum Settings {
    /// A commented settings file with every default
    Sample,
    /// The settings in effect and where each comes from; secrets are masked
    Show,
}

impl Settings {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<ExitCode> {
        match self {
            Self::Sample => print!("{}", sample()),
            Self::Show => print!("{}", global.load()?.describe()),
        }
        Ok(ExitCode::SUCCESS)
    }
}
