//! `ytcaption keys`

use std::process::ExitCode;

use anyhow::ensure;
use clap::{Args, Subcommand};
use serde_json::json;

use super::Global;
use super::output::Output;
use super::store::{self, WHERE};
use crate::master_key;

/// The keys that encrypt personal content of events
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    Status(Status),
    Rewrap(Rewrap),
}

/// Show which master keys the data keys of the jobs are wrapped with
#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  ytcaption keys status

A master key is shown by its id, which does not reveal the key. One that is not available here is in no setting of this
process: jobs whose data keys it wraps cannot be read.
{WHERE}"))]
pub(super) struct Status {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Wrap all data keys with the current master key, while the system runs
#[derive(Debug, Args)]
#[command(after_help = format!("\
To replace the master key: keep the old key in a file, name that file in encryption.previous_key_files, set the new key,
and restart every process with these settings. Then run this command. Once it has wrapped every data key, the old key is
needed for older backups only. docs/encryption.md describes each step.
{WHERE}"))]
pub(super) struct Rewrap {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Keys {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        match self {
            Self::Status(status) => status.run(global).await,
            Self::Rewrap(rewrap) => rewrap.run(global).await,
        }
    }
}

impl Status {
    async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let database = store::open_database(global).await?;
        let current = master_key::load_if_set(&global.load()?.settings)?.map(|keys| keys.current_id());
        let counts = database.data_keys().count().await?;
        let mut out = Output::new();
        if self.json {
            out.json(&json!({ "current_master_key": current, "master_keys": counts }))?;
        } else {
            match current {
                Some(current) => out.line(&format!("Current master key: {current}"))?,
                None => out.line("There is no master key here.")?,
            }
            for count in &counts {
                let id = count.master_key.map_or_else(|| "unknown".to_owned(), |id| id.to_string());
                let note = if count.available { "" } else { " (not available here)" };
                out.line(&format!("{id}{note}: wraps {} data keys", count.data_keys))?;
            }
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Rewrap {
    async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let settings = global.load()?.settings;
        let current = master_key::load(&settings)?.current_id();
        let database = store::connect_as_owner(global).await?;
        let outcome = database.data_keys().rewrap().await?;
        let mut out = Output::new();
        if self.json {
            out.json(&json!({ "master_key": current, "rewrapped": outcome.rewrapped, "failed": outcome.failed }))?;
        } else {
            out.line(&format!("{} data keys are wrapped with {current} now.", outcome.rewrapped))?;
        }
        out.flush()?;
        ensure!(
            outcome.failed == 0,
            "{} data keys could not be unwrapped and are unchanged: add the master key that wraps them to \
             encryption.previous_key_files; `ytcaption keys status` shows its id",
            outcome.failed
        );
        Ok(ExitCode::SUCCESS)
    }
}
