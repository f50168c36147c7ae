//! The data directory: used by one `up` at a time, readable by its owner only, although the servers may pass through.

use std::fs::{DirBuilder, File, Permissions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Held while an `up` uses the directory.
const LOCK_FILE: &str = "up.lock";
/// Contains the URLs of the running system, for other programs.
const URLS_FILE: &str = "ytcaption.json";
/// Servers that run as another user must pass through; no other user may list it.
const DIRECTORY_MODE: u32 = 0o711;
/// Read and written by the owner only.
const PRIVATE_FILE_MODE: u32 = 0o600;

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    /// Another `up` uses it.
    #[error(
        "another `ytcaption up`{} already uses {}; stop it, or choose another directory with --data-dir",
        pid.as_ref().map(|pid| format!(" (process {pid})")).unwrap_or_default(), path.display()
    )]
    InUse { path: PathBuf, pid: Option<String> },
    /// It cannot be made or written.
    #[error("cannot use the data directory {}: {source}; choose another with --data-dir", path.display())]
    Unusable { path: PathBuf, source: std::io::Error },
}

/// A data directory that this process alone uses.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
    /// The lock is the open file: it ends with the process, however that ends.
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory when missing and takes it.
    ///
    /// # Errors
    /// It cannot be written, or another `up` has it.
    pub(crate) fn take(path: &Path) -> Result<Self, DirectoryError> {
        let unusable = |source| DirectoryError::Unusable { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path).map_err(unusable)?;
        std::fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE)).map_err(unusable)?;
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
                return Err(DirectoryError::InUse { path, pid: pid.filter(|pid| !pid.is_empty()) });
            }
            Err(TryLockError::Error(source)) => return Err(DirectoryError::Unusable { path, source }),
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(unusable)?;
        Ok(Self { path, _lock: lock })
    }

    /// The directory, as an absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Publishes the URLs of the system to other programs of this user.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub(crate) fn publish(&self, urls: &serde_json::Value) -> Result<(), DirectoryError> {
        let unusable = |source| DirectoryError::Unusable { path: self.path.clone(), source };
        // Complete or not there at all, at any moment.
        let unfinished = self.path.join(format!("{URLS_FILE}.new"));
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(PRIVATE_FILE_MODE)
            .open(&unfinished)
            .map_err(unusable)?;
        writeln!(file, "{urls:#}").map_err(unusable)?;
        std::fs::rename(&unfinished, self.path.join(URLS_FILE)).map_err(unusable)
    }

    /// Removes the published URLs; a killed `up` cannot, so the next one does.
    pub(crate) fn unpublish(&self) {
        // It may not be there.
        let _ = std::fs::remove_file(self.path.join(URLS_FILE));
    }
}

/// The URL of the API of the `up` that uses `data_dir`, if one does.
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
    let text = std::fs::read_to_string(data_dir.join(URLS_FILE)).ok()?;
    let urls: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(urls.get(name)?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_taken_once_and_free_again_afterwards() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let first = DataDirectory::take(home.path()).expect("a free directory");
        let refusal = DataDirectory::take(home.path()).map(|_| ()).map_err(|error| error.to_string());
        let own_pid = format!("process {}", std::process::id());
        assert!(refusal.is_err_and(|message| message.contains(&own_pid)));
        drop(first);
        DataDirectory::take(home.path()).expect("free again");
    }

    #[test]
    fn the_urls_are_private_and_removed() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let directory = DataDirectory::take(home.path()).expect("a free directory");
        assert_eq!(published_api(home.path()), None);
        directory.publish(&serde_json::json!({ "api": "http://127.0.0.1:1" })).expect("a writable directory");
        assert_eq!(published_api(home.path()).as_deref(), Some("http://127.0.0.1:1"));
        let mode = std::fs::metadata(home.path().join(URLS_FILE)).expect("published").permissions().mode();
        assert_eq!(mode & 0o777, PRIVATE_FILE_MODE);
        directory.unpublish();
        assert_eq!(published_api(home.path()), None);
    }
}
