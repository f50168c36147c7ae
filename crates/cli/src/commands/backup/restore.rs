//! `ytcaption restore`

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use secrecy::SecretString;
use serde_json::json;
use ytcaption_eventstore::encryption::{DataKeys, KeysImported};
use ytcaption_eventstore::seal::{Report, Verifier, VerifyingKey};
use ytcaption_eventstore::{Database, begin};
use ytcaption_projections::{PROJECTIONS, RegisteredProjection};

use super::manifest::{Entry, Manifest, Trust, copy};
use super::{BLOBS, DATA_KEYS, database, keys};
use crate::commands::Global;
use crate::commands::bar::Bar;
use crate::commands::output::Output;
use crate::managed::{DataDirectory, ManagedPostgres};
use crate::settings::Settings;
use crate::{roles, servers, signing_key};

/// Connections of this command.
const CONNECTIONS: u32 = 3;

/// Restore a backup into a new system: an empty database, an empty storage, an empty data directory
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ytcaption restore /backups/2026-11-22 --trust ytcaption.events+1a2b3c4d+AX… --data-dir /srv/ytcaption
  createdb ytcaption && YTCAPTION_DATABASE__OWNER_URL=postgres://owner:…@new/ytcaption \\
    DATABASE_URL=postgres://service:…@new/ytcaption ytcaption restore /backups/2026-11-22 --trust backup-key.pub

Every file is compared with the backup's manifest, and the manifest's signature with the keys that you trust, before anything
is written. A backup contains data only: the schema is made by this program. The events get an order that holds in the
new cluster, their seals are verified, and unfinished jobs go on when the system is started. The read models are made again
from the events then; until that is done, lists may lack jobs. Start it with an empty
nats-server: JetStream is filled again from the events, and messages that are newer than the backup would mislead it.

Restores into the database in DATABASE_URL (or database.url; with database.owner_url, as its owner), else into a new
Postgres in the data directory, for `ytcaption up`. docs/backup.md is the runbook.")]
pub(in crate::commands) struct Restore {
    /// The backup
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
    /// The key that the backup must be signed with, as `ytcaption backup` printed it, or a file that holds it; may be given
    /// again [default: that of `backup.key_file`, where it can be read]
    #[arg(long, value_name = "KEY", conflicts_with = "unverified")]
    trust: Vec<String>,
    /// Restore although nothing proves who made the backup. A person who could change it then decides which events, audio
    /// and keys the new system has. Even so, it cannot make the database execute anything
    #[arg(long)]
    unverified: bool,
    /// Say in JSON what was restored
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub(in crate::commands) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let settings = global.load()?.settings;
        let bar = Bar::new("checking");
        let trust = self.trust(&settings)?;
        let manifest = Manifest::check(&self.directory, &trust, |read, total| bar.set(read, total))?;
        // No `up` may run in it.
        let data = DataDirectory::take(&settings.data_dir)?;
        refuse_to_overwrite(&settings, &manifest)?;
        bar.step("database");
        let postgres = ManagedPostgres::start(&settings, data.path()).await?;
        let outcome = restore(&self.directory, (&manifest, &trust), &settings, &postgres, &bar).await;
        postgres.stop().await;
        bar.clear();
        let (report, data_keys) = outcome?;
        let mut out = Output::new();
        if self.json {
            out.json(&json!({
                "taken_at": manifest.taken_at, "signature_verified": !self.unverified, "verified": report,
                "data_keys": data_keys,
            }))?;
        } else {
            out.line(&format!(
                "{} events are restored as of {}; {} of them are sealed.",
                report.events, manifest.taken_at, report.sealed
            ))?;
            if self.unverified {
                out.line("Nothing proves who made the backup, nor that it was not changed (--unverified).")?;
            }
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

impl Restore {
    /// Whose backups are restored: no key comes from the backup.
    fn trust(&self, settings: &Settings) -> anyhow::Result<Trust> {
        if self.unverified {
            return Ok(Trust::Anybody);
        }
        let mut keys: Vec<VerifyingKey> =
            self.trust.iter().map(|key| signing_key::parse_public(key)).collect::<anyhow::Result<_>>()?;
        keys.extend(signing_key::public_of_backups(settings));
        Ok(Trust::Keys(keys))
    }
}

/// Writes a file of the backup where none is.
fn restore_file(backup: &Path, entry: &Entry, to: &Path) -> anyhow::Result<()> {
    let copied = copy(&backup.join(&entry.path), to);
    let (bytes, sha256) = copied.with_context(|| format!("writing {}", to.display()))?;
    // Once more, because it may have been changed since it was checked.
    entry.require(bytes, &sha256)
}

/// Nothing of another system is replaced: audio, uploads, keys, what JetStream holds.
fn refuse_to_overwrite(settings: &Settings, manifest: &Manifest) -> anyhow::Result<()> {
    for (file, path) in keys(settings) {
        let differs = manifest.entry(path).is_some_and(|entry| file.exists() && !entry.is_equal(&file));
        ensure!(!differs, "{} is there already; restore into a new data directory", file.display());
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
    (manifest, trust): (&Manifest, &Trust),
    settings: &Settings,
    postgres: &ManagedPostgres,
    bar: &Bar,
) -> anyhow::Result<(Report, KeysImported)> {
    let owner_url = postgres.owner_url.as_ref().unwrap_or(&postgres.database_url);
    let owner = open(owner_url)?;
    owner.check().await?;
    database::require_empty(&owner, manifest).await?;
    owner.prepare_at(manifest.schema_version).await?;
    if postgres.owner_url.is_some() {
        servers::grant_service_role(&owner, &postgres.database_url).await?;
    }
    let service = open(&postgres.database_url)?;
    database::load(&service, backup, manifest).await?;
    service.pool().close().await;
    let adopted = owner.adopt_restored_events().await?;
    tracing::debug!(adopted, "events have an order in this cluster");
    // The projectors begin again with the first event.
    let names: Vec<&str> = PROJECTIONS.iter().map(RegisteredProjection::name).collect();
    sqlx::query("DELETE FROM checkpoints WHERE name = ANY($1)").bind(&names).execute(owner.pool()).await?;
    let data_keys = restore_data_keys(&backup.join(DATA_KEYS), &owner).await?;
    match &postgres.owner_url {
        Some(owner_url) => servers::prepare_as_owner(owner_url, &postgres.database_url).await?,
        None => roles::database("ytcaption restore", settings, &postgres.database_url)?.prepare().await?,
    }
    bar.step("audio, uploads");
    for (file, path) in keys(settings) {
        if let Some(entry) = manifest.entry(path)
            && !file.exists()
        {
            restore_file(backup, entry, &file)?;
        }
    }
    if let Some(path) = settings.storage.directory() {
        let total = manifest.within(BLOBS).count() as u64;
        for (n, (entry, name)) in manifest.within(BLOBS).enumerate() {
            restore_file(backup, entry, &path.join(name))?;
            bar.set(n as u64 + 1, total);
        }
    }
    bar.step("verifying");
    // The key of the seals came with the backup, so it proves as much as the backup's signature does.
    let seal_key = signing_key::public_of_seals(settings).filter(|_| matches!(trust, Trust::Keys(_)));
    let report = Verifier::trusting(seal_key.into_iter().collect()).database(owner.pool(), |_| ()).await?;
    owner.pool().close().await;
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
