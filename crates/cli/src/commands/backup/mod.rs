//! `ytcaption backup` and `ytcaption restore`
//!
//! A backup is a directory:
//!
//! ```text
//! manifest.json     what is in it, with sizes and SHA-256; written last
//! database.dump     pg_dump's custom format: events, seals, checkpoints, as of one moment
//! data-keys.jsonl   the wrapped data keys of the jobs; may be removed, or lines of it, to erase jobs
//! blobs/…           audio and uploads, if they are stored in a directory
//! keys/…            the secret that signs webhooks, the key that seals events, the master key
//! settings.toml     the settings file, if there is one
//! ```
//!
//! The database comes first: whatever its events refer to was in the storage before them.

mod manifest;
mod postgres;
mod restore;
mod take;

pub(super) use restore::Restore;
pub(super) use take::Backup;

/// In a backup, see above.
const DATABASE: &str = "database.dump";
const DATA_KEYS: &str = "data-keys.jsonl";
const BLOBS: &str = "blobs";
const KEYS: &str = "keys";
const SETTINGS: &str = "settings.toml";

/// The secrets of a system beside its settings: their paths, and their names in a backup.
fn keys(settings: &crate::settings::Settings) -> [(std::path::PathBuf, &'static str); 3] {
    [
        (crate::webhook_secret::path(&settings.data_dir), "keys/webhook-secret"),
        (settings.seal.key_file.clone(), "keys/seal-key.pem"),
        (settings.encryption.master_key_file.clone(), "keys/master-key"),
    ]
}
