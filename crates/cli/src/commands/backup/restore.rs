//! `ytcaption restore`

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use ytcaption_eventstore::encryption::{DataKeys, KeysImported};
use ytcaption_eventstore::seal::{Report, Verifier};
use ytcaption_eventstore::{Database, begin};
use ytcaption_projections::{PROJECTIONS, RegisteredProjection};

use super::manifest::{Manifest, copy};
use super::{BLOBS, DATA_KEYS, DATABASE, keys, postgres};
use crate::commands::Global;
use crate::commands::bar::Bar;
use crate::commands::output::Output;
use crate::managed::{DataDirectory, ManagedPostgres};
use crate::settings::Settings;
use crate::{roles, seal_key, servers};

/// Connections of this command.
const CONNECTIONS: u32 = 3;

/// Restore a backup into a new system: an empty database, an empty storage, an empty data directory
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ytcaption restore /backups/2026-11-22 --data-dir /srv/ytcaption && ytcaption up --data-dir /srv/ytcaption
  createdb ytcaption && YTCAPTION_DATABASE__OWNER_URL=postgres://owner:…@new/ytcaption \\
    DATABASE_URL=postgres://service:…@new/ytcaption ytcaption restore /backups/2026-11-22

Every file is compared with the backup's manifest before anything is written. The events get an order that holds in the
new cluster, their seals are verified, and unfinished jobs go on when the system is started. The read models are made again
from the events then; until that is done, lists may lack jobs. Start it with an empty
nats-server: JetStream is filled again from the events, and messages that are newer than the backup would mislead it.

Restores into the database in DATABASE_URL (or database.url; with database.owner_url, as its owner), else into a new
Postgres in the data directory, for `ytcaption up`. Needs pg_restore. docs/backup.md is the runbook.")]
pub(in crate::commands) struct Restore {
    /// The backup
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
    /// Say in JSON what was restored
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub(in crate::commands) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let settings = global.load()?.settings;
        let bar = Bar::new("checking");
        let manifest = Manifest::check(&self.directory, |read, total| bar.set(read, total))?;
        // No `up` may run in it.
        let data = DataDirectory::take(&settings.data_dir)?;
        refuse_to_overwrite(&settings, &manifest)?;
        bar.step("database");
        let postgres = ManagedPostgres::start(&settings, data.path()).await?;
        let outcome = restore(&self.directory, &manifest, &settings, &postgres, &bar).await;
        postgres.stop().await;
        bar.clear();
        let (report, data_keys) = outcome?;
        let mut out = Output::new();
        if self.json {
            out.json(&json!({ "taken_at": manifest.taken_at, "verified": report, "data_keys": data_keys }))?;
        } else {
            out.line(&format!(
                "{} events are restored as of {}; {} of them are sealed.",
                report.events, manifest.taken_at, report.sealed
            ))?;
            if data_keys.without_key > 0 {
                out.line(&format!(
                    "{} jobs have no data key in the backup: their personal content reads as erased.",
                    data_keys.without_key
                ))?;
            }
            for finding in &report.findings {
                out.line(&format!("- {finding}"))?;
            }
            if let Some(place) = &manifest.blobs_elsewhere {
                out.line(&format!("Audio and uploads are not in the backup; they are expected in {place}."))?;
            }
            out.line("Now start the system with an empty nats-server; unfinished jobs go on by themselves.")?;
        }
        out.flush()?;
        Ok(if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Nothing of another system is replaced: audio, uploads, keys, what JetStream holds.
fn refuse_to_overwrite(settings: &Settings, manifest: &Manifest) -> anyhow::Result<()> {
    for (file, path) in keys(settings) {
        let wanted = manifest.files.iter().any(|entry| entry.path == path);
        ensure!(!wanted || !file.exists(), "{} is there already; restore into a new data directory", file.display());
    }
    if let Some(path) = settings.storage.directory() {
        let occupied = manifest.within(BLOBS).map(|(_, name)| path.join(name)).find(|file| file.exists());
        if let Some(file) = occupied {
            bail!("{} is there already; restore into a new storage directory", file.display());
        }
    }
    let jetstream = settings.data_dir.join("nats");
    ensure!(
        settings.nats.url.is_some() || !jetstream.exists(),
        "{} is there: restore into a new data directory, or remove that one; it holds messages of another time",
        jetstream.display()
    );
    Ok(())
}

async fn restore(
    backup: &Path,
    manifest: &Manifest,
    settings: &Settings,
    postgres: &ManagedPostgres,
    bar: &Bar,
) -> anyhow::Result<(Report, KeysImported)> {
    let owner_url = postgres.owner_url.as_ref().unwrap_or(&postgres.database_url);
    let database = open(owner_url)?;
    database.check().await?;
    let tables: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace",
    )
    .fetch_one(database.pool())
    .await?;
    ensure!(tables == 0, "the database is not empty: it has {tables} tables. Restore into a new one (createdb)");
    postgres::restore(&backup.join(DATABASE), owner_url.expose_secret()).await?;
    let adopted: i64 = sqlx::query_scalar("SELECT adopt_restored_events()").fetch_one(database.pool()).await?;
    tracing::debug!(adopted, "events have an order in this cluster");
    // The projectors begin again with the first event.
    let names: Vec<&str> = PROJECTIONS.iter().map(RegisteredProjection::name).collect();
    sqlx::query("DELETE FROM checkpoints WHERE name = ANY($1)").bind(&names).execute(database.pool()).await?;
    let data_keys = restore_data_keys(&backup.join(DATA_KEYS), &database).await?;
    match &postgres.owner_url {
        Some(owner_url) => servers::prepare_as_owner(owner_url, &postgres.database_url).await?,
        None => roles::database("ytcaption restore", settings, &postgres.database_url)?.prepare().await?,
    }
    bar.step("audio, uploads");
    for (file, path) in keys(settings) {
        if manifest.files.iter().any(|entry| entry.path == path) {
            copy(&backup.join(path), &file).with_context(|| format!("writing {}", file.display()))?;
        }
    }
    if let Some(path) = settings.storage.directory() {
        let total = manifest.within(BLOBS).count() as u64;
        for (n, (entry, name)) in manifest.within(BLOBS).enumerate() {
            copy(&backup.join(&entry.path), &path.join(name)).with_context(|| format!("writing {name}"))?;
            bar.set(n as u64 + 1, total);
        }
    }
    bar.step("verifying");
    let verifier = Verifier::trusting(seal_key::public(settings).into_iter().collect());
    let report = verifier.database(database.pool(), |_| ()).await?;
    database.pool().close().await;
    Ok((report, data_keys))
}

/// Adds the data keys of the backup, as many as are left in it.
async fn restore_data_keys(file: &Path, database: &Database) -> anyhow::Result<KeysImported> {
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        text => text.context("reading the data keys")?,
    };
    let mut transaction = begin(database.pool()).await?;
    let keys = DataKeys::import(&mut transaction, text.lines()).await.context(DATA_KEYS)?;
    transaction.commit().await?;
    Ok(keys)
}

fn open(url: &SecretString) -> anyhow::Result<Database> {
    Ok(Database::open(url, CONNECTIONS)?)
}
