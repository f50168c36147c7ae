//! Blobs as files of a private directory.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rustix::fs::XattrFlags;
use tokio::fs::{self, DirBuilder, File};
use tokio::io::AsyncRead;
use uuid::Uuid;

use crate::copy::{self, Unfinished};
use crate::{BlobError, BlobInfo, BlobKey, BlobReader, BlobStore, StoredBlob};

/// Directory for files being written; a [`BlobKey`] cannot start with a dot, so it collides with none.
const INCOMING: &str = ".incoming";
/// Files a crash left in [`INCOMING`] are removed after this long.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);
/// Extended attribute that holds the SHA-256. It belongs to the file, not to its name, so a rename
/// publishes content and fingerprint in one step, even if another process writes the same key.
const FINGERPRINT: &str = "user.ytcaption.sha256";
/// Length of the fingerprint, in hexadecimal digits.
const FINGERPRINT_DIGITS: usize = 64;
/// How often a rename is tried when the target's directory vanishes under it (see [`delete`]).
///
/// [`delete`]: BlobStore::delete
const RENAME_ATTEMPTS: u32 = 5;

/// A blob store in a directory: one file a blob, the key as its path.
#[derive(Debug)]
pub struct LocalDirectory {
    root: PathBuf,
}

impl LocalDirectory {
    /// Opens the directory, creating it (mode 700) when missing, and clears away what an earlier
    /// crash left half-written.
    ///
    /// # Errors
    /// [`BlobError::Unreachable`] when it cannot be made or read.
    pub async fn open(root: &Path) -> Result<Self, BlobError> {
        let store = Self { root: std::path::absolute(root)? };
        let incoming = store.root.join(INCOMING);
        create_directories(&incoming).await.map_err(|e| store.unusable(&e))?;
        remove_abandoned(&incoming).await.map_err(|e| store.unusable(&e))?;
        Ok(store)
    }

    fn path(&self, key: &BlobKey) -> PathBuf {
        self.root.join(key.as_str())
    }

    fn unusable(&self, error: &io::Error) -> BlobError {
        let root = self.root.display();
        let hint = format!(
            "cannot write in the directory {root} ({error}); see that it can be created, belongs to \
             the user running ytcaption, and that its disk is not full"
        );
        BlobError::Unreachable { hint }
    }

    fn missing(key: &BlobKey, error: io::Error) -> BlobError {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => BlobError::NotFound { key: key.clone() },
            _ => BlobError::Io(error),
        }
    }

    async fn file(&self, key: &BlobKey) -> Result<(File, u64), BlobError> {
        let mut file = File::open(self.path(key)).await.map_err(|e| Self::missing(key, e))?;
        let metadata = file.metadata().await?;
        if !metadata.is_file() {
            return Err(BlobError::NotFound { key: key.clone() });
        }
        file.set_max_buf_size(copy::BUFFER_BYTES);
        Ok((file, metadata.len()))
    }

    async fn write(
        &self,
        key: &BlobKey,
        source: &mut (dyn AsyncRead + Send + Unpin),
        limit: Option<u64>,
    ) -> Result<BlobInfo, BlobError> {
        let temporary = Unfinished(self.root.join(INCOMING).join(Uuid::new_v4().to_string()));
        let mut file = copy::create_private(&temporary.0).await?;
        let info = copy::hashed(source, &mut file, limit).await?;
        record_fingerprint(&file, &info.sha256);
        file.sync_all().await?;
        drop(file);
        self.publish(&temporary.0, &self.path(key)).await?;
        Ok(info)
    }

    /// Renames `temporary` to `target` and syncs every directory from there up to the root.
    async fn publish(&self, temporary: &Path, target: &Path) -> io::Result<()> {
        let directory = target.parent().unwrap_or(&self.root);
        let mut attempt = 1;
        loop {
            create_directories(directory).await?;
            match fs::rename(temporary, target).await {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::NotFound && attempt < RENAME_ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
        for directory in directory.ancestors().take_while(|f| f.starts_with(&self.root)) {
            File::open(directory).await?.sync_all().await?;
        }
        Ok(())
    }
}

#[async_trait]
impl BlobStore for LocalDirectory {
    async fn put_file(&self, key: &BlobKey, path: &Path) -> Result<BlobInfo, BlobError> {
        let mut file = File::open(path).await?;
        file.set_max_buf_size(copy::BUFFER_BYTES);
        self.write(key, &mut file, None).await.map_err(copy::from_store)
    }

    async fn put_stream(
        &self,
        key: &BlobKey,
        source: &mut (dyn AsyncRead + Send + Unpin),
        limit: u64,
    ) -> Result<BlobInfo, BlobError> {
        self.write(key, source, Some(limit)).await
    }

    async fn open(&self, key: &BlobKey) -> Result<BlobReader, BlobError> {
        Ok(Box::new(self.file(key).await?.0))
    }

    async fn info(&self, key: &BlobKey) -> Result<BlobInfo, BlobError> {
        let (mut file, bytes) = self.file(key).await?;
        match recorded_fingerprint(&file) {
            Some(sha256) => Ok(BlobInfo { bytes, sha256 }),
            None => copy::fingerprint(&mut file).await,
        }
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        let path = self.path(key);
        match fs::remove_file(&path).await {
            Ok(()) => {}
            Err(error) => match Self::missing(key, error) {
                BlobError::NotFound { .. } => return Ok(()),
                other => return Err(other),
            },
        }
        // Directories that are now empty go too; one that is not empty refuses, which ends the climb.
        let inside = |f: &&Path| f.starts_with(&self.root) && *f != self.root;
        for directory in path.ancestors().skip(1).take_while(inside) {
            if fs::remove_dir(directory).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn list(&self, directory: &str, after: Option<&BlobKey>, limit: usize) -> Result<Vec<StoredBlob>, BlobError> {
        let mut blobs = Vec::new();
        let mut directories = vec![directory.to_owned()];
        while let Some(directory) = directories.pop() {
            let mut entries = match fs::read_dir(self.root.join(&directory)).await {
                // Directories that are empty go away at any time.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                entries => entries?,
            };
            while let Some(entry) = entries.next_entry().await? {
                let Some(name) = entry.file_name().to_str().map(|name| format!("{directory}/{name}")) else { continue };
                // So does a file.
                let Ok(metadata) = entry.metadata().await else { continue };
                if metadata.is_dir() {
                    directories.push(name);
                } else if let Ok(key) = BlobKey::new(name)
                    && after.is_none_or(|after| key > *after)
                {
                    blobs.push(StoredBlob { key, stored_at: metadata.modified()? });
                }
            }
        }
        blobs.sort_by(|a, b| a.key.cmp(&b.key));
        blobs.truncate(limit);
        Ok(blobs)
    }

    async fn remove_unfinished(&self) -> Result<(), BlobError> {
        remove_abandoned(&self.root.join(INCOMING)).await.map_err(|error| self.unusable(&error))
    }

    async fn check(&self) -> Result<(), BlobError> {
        let probe = Unfinished(self.root.join(INCOMING).join(Uuid::new_v4().to_string()));
        copy::create_private(&probe.0).await.map_err(|e| self.unusable(&e))?;
        Ok(())
    }
}

async fn create_directories(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(directory).await
}

async fn remove_abandoned(incoming: &Path) -> io::Result<()> {
    let mut entries = fs::read_dir(incoming).await?;
    while let Some(entry) = entries.next_entry().await? {
        // Another process may finish or remove the file meanwhile: then there is nothing to do.
        let Ok(modified) = entry.metadata().await.and_then(|m| m.modified()) else {
            continue;
        };
        let age = SystemTime::now().duration_since(modified).unwrap_or_default();
        if age > ABANDONED_AFTER {
            drop(Unfinished(entry.path()));
        }
    }
    Ok(())
}

/// Attaches the fingerprint. A file system without extended attributes only costs `info` a read.
fn record_fingerprint(file: &File, sha256: &str) {
    if let Err(error) = rustix::fs::fsetxattr(file, FINGERPRINT, sha256.as_bytes(), XattrFlags::empty()) {
        tracing::debug!(%error, "no extended attributes here; fingerprints are computed when needed");
    }
}

fn recorded_fingerprint(file: &File) -> Option<String> {
    let mut value = [0_u8; FINGERPRINT_DIGITS];
    let length = rustix::fs::fgetxattr(file, FINGERPRINT, &mut value[..]).ok()?;
    let text = std::str::from_utf8(&value[..length]).ok()?;
    let whole = length == FINGERPRINT_DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit());
    whole.then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
