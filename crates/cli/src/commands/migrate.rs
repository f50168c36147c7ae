//! `ytcaption migrate`

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::Global;
use crate::{logging, roles};

/// Bring the schema of the database in `DATABASE_URL` up to date, and end
#[derive(Debug, Args)]
pub(super) struct Migrate {}

impl Migrate {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let settings = global.load()?.settings;
        let telemetry = logging::start(&settings, "migrate")?;
        let url = settings.database.url.as_ref().context("DATABASE_URL (or database.url) is not set")?;
        roles::database(&settings, url)?.prepare().await?;
        println!("The schema is up to date.");
        telemetry.shutdown().await;
        Ok(ExitCode::SUCCESS)
    }
}
