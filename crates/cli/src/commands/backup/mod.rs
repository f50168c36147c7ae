//! `ytcaption backup` and `ytcaption restore`
//!
//! A backup is a directory:
//!
//! ```text
//! manifest.json     what is in it, with sizes and SHA-256; written last, and signed
//! manifest.json.sig its signature, with a key that is in no backup
//! database/….copy   a file for each table, in the text format of COPY, as of one moment: events, seals, checkpoints
//! data-keys.jsonl   the wrapped data keys of the jobs; may be removed, or lines of it, to erase jobs
//! blobs/…           audio and uploads, if they are stored in a directory
//! keys/…            the secret that signs webhooks, the key that seals events, the master key
//! settings.toml     the settings file, if there is one
//! ```
//!
//! The database comes first: whatever its events refer to was in the storage before them.
//!
//! A backup contains data only. The schema of a restored database is made by this program's own migrations, so a changed
//! backup has no function, trigger or statement that a server would run.

mod database;
mod manifest;
mod restore;
mod take;

use std::path::PathBuf;

use ytcaption_eventstore::DumpedTable;

pub(super) use restore::Restore;
pub(super) use take::Backup;

use crate::settings::Settings;

/// In a backup, see above.
const DATABASE: &str = "database";
const DATA_KEYS: &str = "data-keys.jsonl";
const BLOBS: &str = "blobs";
const KEYS: &str = "keys";
const SETTINGS: &str = "settings.toml";
const KEY_NAMES: [&str; 3] = ["keys/webhook-secret", "keys/seal-key.pem", "keys/master-key"];

/// The file of a table in a backup.
fn table_path(table: DumpedTable) -> String {
    format!("{DATABASE}/{}.copy", table.name())
}

/// The secrets of a system beside its settings: their paths, and their names in a backup. The key that signs backups is not
/// among them.
fn keys(settings: &Settings) -> impl Iterator<Item = (PathBuf, &'static str)> {
    let paths = [
        crate::webhook_secret::path(&settings.data_dir),
        settings.seal.key_file.clone(),
        settings.encryption.master_key_file.clone(),
    ];
    paths.into_iter().zip(KEY_NAMES)
}
