//! `ytcaption migrate`

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::Global;
use crate::{roles, servers};

/// Bring the schema of the database in `DATABASE_URL` up to date, and end
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  DATABASE_URL=postgres://ytcaption@localhost/ytcaption ytcaption migrate
  YTCAPTION_DATABASE__OWNER_URL=postgres://owner:…@db/ytcaption DATABASE_URL=postgres://service:…@db/ytcaption \\
    ytcaption migrate

With database.owner_url the owner makes the schema, makes the role in DATABASE_URL where it is missing, and lets it add
and read events, never change or remove them. The services then run with DATABASE_URL alone, and wait until this is done.")]
pub(super) struct Migrate {}

impl Migrate {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let settings = global.load()?.settings;
        let telemetry = ytcaption_telemetry::init(&settings.log, "migrate")?;
        let url = settings.database.url.as_ref().context("DATABASE_URL (or database.url) is not set")?;
        match &settings.database.owner_url {
            Some(owner_url) => servers::prepare_as_owner(owner_url, url).await?,
            None => roles::database("ytcaption migrate", &settings, url)?.prepare().await?,
        }
        println!("The schema is up to date.");
        telemetry.shutdown().await;
        Ok(ExitCode::SUCCESS)
    }
}
