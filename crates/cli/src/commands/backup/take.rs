//! `ytcaption backup`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::json;
use ytcaption_eventstore::seal::SealingKey;
use ytcaption_eventstore::{Clock, Database};

use super::manifest::{Manifest, files_below, make_directory};
use super::{BLOBS, DATA_KEYS, KEYS, SETTINGS, database, keys};
use crate::commands::Global;
use crate::commands::bar::Bar;
use crate::commands::output::Output;
use crate::commands::store;
use crate::settings::{Settings, file};
use crate::{data_key_file, signing_key};

/// Back up a running system into a new directory: events, audio, uploads, keys
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ytcaption backup /backups/$(date +%F)
  YTCAPTION_DATABASE__OWNER_URL=postgres://owner:…@db/ytcaption DATABASE_URL=… ytcaption backup /backups/today

The system need not stop: the database is dumped as of one moment, and then what it refers to is copied. JetStream is not
backed up; it is filled again from the events. In an S3 bucket audio and uploads stay where they are: see docs/backup.md.
The directory holds secrets and is closed to others; keep it so. data-keys.jsonl decides whether personal content of the
events can be read: see docs/encryption.md.

The backup is signed with the key in backup.key_file, made the first time. Keep the public key that is printed: on another
machine `ytcaption restore --trust KEY` finds out with it whether the backup was changed.

Backs up the database in DATABASE_URL (or database.url; with database.owner_url, as its owner), else that of the
`ytcaption up` of the data directory.")]
pub(in crate::commands) struct Backup {
    /// Directory to make; it must not exist yet
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
    /// Say in JSON what was backed up
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(in crate::commands) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        ensure!(
            !self.directory.exists(),
            "{} exists already and is not overwritten; name another directory",
            self.directory.display()
        );
        let settings = global.load()?.settings;
        // Answers in the program's own words if the database is not there or not ours.
        let events = store::open_database(global).await?;
        let key = signing_key::for_backups(&settings)?;
        let bar = Bar::new("database");
        let unfinished = unfinished(&self.directory);
        let outcome = take(&settings, file(&global.overrides()).as_deref(), &events, &key, &unfinished, &bar).await;
        bar.clear();
        let manifest = match outcome {
            Ok(manifest) => manifest,
            Err(error) => {
                // What cannot be removed is named as unfinished.
                let _ = std::fs::remove_dir_all(&unfinished);
                return Err(error);
            }
        };
        std::fs::rename(&unfinished, &self.directory)
            .with_context(|| format!("cannot make {}", self.directory.display()))?;
        let blobs = manifest.within(BLOBS).count();
        let mut out = Output::new();
        if self.json {
            out.json(&json!({
                "directory": self.directory, "bytes": manifest.bytes(), "blobs": blobs,
                "blobs_elsewhere": manifest.blobs_elsewhere, "keys": manifest.within(KEYS).count(),
                "signed_by": key.verifying_key().to_string(),
            }))?;
        } else {
            out.line(&format!(
                "{} bytes are in {}, {blobs} of its files audio and uploads.",
                manifest.bytes(),
                self.directory.display()
            ))?;
            out.line(&format!(
                "It is signed. Keep this key elsewhere, for `ytcaption restore --trust`: {}",
                key.verifying_key()
            ))?;
            if let Some(place) = &manifest.blobs_elsewhere {
                out.line(&format!("Audio and uploads stay in {place}; docs/backup.md says how to keep them."))?;
            }
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Beside the backup, so that it can take its name when it is complete.
fn unfinished(directory: &Path) -> PathBuf {
    let mut name = directory.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    directory.with_file_name(name)
}

async fn take(
    settings: &Settings,
    settings_file: Option<&Path>,
    database: &Database,
    key: &SealingKey,
    backup: &Path,
    bar: &Bar,
) -> anyhow::Result<Manifest> {
    if backup.exists() {
        bail!("{} is there from an earlier try, or is being written: remove it if no backup runs", backup.display());
    }
    make_directory(backup).with_context(|| format!("cannot make {}", backup.display()))?;
    let storage = &settings.storage;
    let elsewhere = match storage.directory() {
        Some(_) => None,
        None => Some(format!("s3://{}", storage.bucket.as_deref().unwrap_or_default())),
    };
    let mut manifest = Manifest::new(Clock::system().now(), elsewhere);
    database::dump(database, backup, &mut manifest).await?;
    // After the events, so that none lacks its key.
    data_key_file::write(database, &backup.join(DATA_KEYS)).await?;
    manifest.note(backup, DATA_KEYS)?;
    bar.step("keys");
    for (from, path) in keys(settings) {
        manifest.add(&from, backup, path)?;
    }
    if let Some(file) = settings_file {
        manifest.add(file, backup, SETTINGS)?;
    }
    if let Some(directory) = storage.directory() {
        bar.step("audio, uploads");
        let files = files_below(directory).with_context(|| format!("reading {}", directory.display()))?;
        for (n, file) in files.iter().enumerate() {
            let name = file
                .strip_prefix(directory)?
                .to_str()
                .with_context(|| format!("{} has no plain name", file.display()))?;
            manifest.add(file, backup, &format!("{BLOBS}/{name}"))?;
            bar.set(n as u64 + 1, files.len() as u64);
        }
    }
    manifest.write(backup, key)?;
    Ok(manifest)
}
