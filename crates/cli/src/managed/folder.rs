//! The data folder: one `up` at a time, entered by the servers, listed by nobody else.

use std::fs::{DirBuilder, File, Permissions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Held while an `up` uses the folder.
const LOCK_FILE: &str = "up.lock";
/// Tells other programs where the system is.
const ADDRESS_FILE: &str = "ytcaption.json";
/// Servers that run as another user must pass through; nobody may list.
const FOLDER_MODE: u32 = 0o711;
/// Read and written by the owner only.
const PRIVATE_FILE_MODE: u32 = 0o600;

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// Another `up` uses it.
    #[error(
        "another `ytcaption up`{} already uses {}; stop it, or choose another folder with --data-dir",
        pid.as_ref().map(|pid| format!(" (process {pid})")).unwrap_or_default(), path.display()
    )]
    InUse { path: PathBuf, pid: Option<String> },
    /// It cannot be made or written.
    #[error("cannot use the data folder {}: {source}; choose another with --data-dir", path.display())]
    Unusable { path: PathBuf, source: std::io::Error },
}

/// A data folder that this process alone uses.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    /// The lock is the open file: it ends with the process, however that ends.
    _lock: File,
}

impl DataFolder {
    /// Makes the folder when missing and takes it.
    ///
    /// # Errors
    /// It cannot be written, or another `up` has it.
    pub(crate) fn take(path: &Path) -> Result<Self, FolderError> {
        let unusable = |source| FolderError::Unusable { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path).map_err(unusable)?;
        std::fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE)).map_err(unusable)?;
        let path = path.canonicalize().map_err(unusable)?;
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE_FILE_MODE)
            .open(path.join(LOCK_FILE))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Only to help the person who reads the message.
                let pid = lock.read_to_string(&mut pid).is_ok().then(|| pid.trim().to_owned());
                return Err(FolderError::InUse { path, pid: pid.filter(|pid| !pid.is_empty()) });
            }
            Err(TryLockError::Error(source)) => return Err(FolderError::Unusable { path, source }),
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(unusable)?;
        Ok(Self { path, _lock: lock })
    }

    /// The folder, as an absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Tells other programs of this user where the system is.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn publish(&self, address: &serde_json::Value) -> Result<(), FolderError> {
        let unusable = |source| FolderError::Unusable { path: self.path.clone(), source };
        // Complete or not there at all, whenever somebody looks.
        let unfinished = self.path.join(format!("{ADDRESS_FILE}.new"));
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(PRIVATE_FILE_MODE)
            .open(&unfinished)
            .map_err(unusable)?;
        writeln!(file, "{address:#}").map_err(unusable)?;
        std::fs::rename(&unfinished, self.path.join(ADDRESS_FILE)).map_err(unusable)
    }

    /// Takes the address back; a killed `up` cannot, so the next one does.
    pub(crate) fn unpublish(&self) {
        // Not being there is what is wanted.
        let _ = std::fs::remove_file(self.path.join(ADDRESS_FILE));
    }
}

/// The address of the API of the `up` that uses `data_dir`, if one does.
pub(crate) fn published_api(data_dir: &Path) -> Option<String> {
    published(data_dir, "api")
}

/// The URL of the Postgres of the `up` that uses `data_dir`, if one does.
pub(crate) fn published_database(data_dir: &Path) -> Option<String> {
    published(data_dir, "database_url")
}

/// The URL of that Postgres as the owner of the schema.
pub(crate) fn published_owner(data_dir: &Path) -> Option<String> {
    published(data_dir, "owner_url")
}

/// The URL of the nats-server of the `up` that uses `data_dir`, if one does.
pub(crate) fn published_nats(data_dir: &Path) -> Option<String> {
    published(data_dir, "nats_url")
}

fn published(data_dir: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(data_dir.join(ADDRESS_FILE)).ok()?;
    let address: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(address.get(name)?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_free_again_afterwards() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let first = DataFolder::take(home.path()).expect("a free folder");
        let refusal = DataFolder::take(home.path()).map(|_| ()).map_err(|error| error.to_string());
        let own_pid = format!("process {}", std::process::id());
        assert!(refusal.is_err_and(|message| message.contains(&own_pid)));
        drop(first);
        DataFolder::take(home.path()).expect("free again");
    }

    #[test]
    fn the_address_is_private_and_goes_away() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let folder = DataFolder::take(home.path()).expect("a free folder");
        assert_eq!(published_api(home.path()), None);
        folder.publish(&serde_json::json!({ "api": "http://127.0.0.1:1" })).expect("a writable folder");
        assert_eq!(published_api(home.path()).as_deref(), Some("http://127.0.0.1:1"));
        let mode = std::fs::metadata(home.path().join(ADDRESS_FILE)).expect("published").permissions().mode();
        assert_eq!(mode & 0o777, PRIVATE_FILE_MODE);
        folder.unpublish();
        assert_eq!(published_api(home.path()), None);
    }
}
