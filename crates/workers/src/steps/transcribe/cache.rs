//! The audio of current jobs as local files, so that it is fetched once for all chunks of a job.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use ytcaption_blobstore::{BlobError, BlobInfo, BlobKey, BlobStore};

use crate::steps::temp_dirs::{self, WorkDirectory};

/// Kind of the directory in which a process keeps its audio.
const DIRECTORY: &str = "audio";

/// A directory of audio files, bounded in bytes.
pub(super) struct AudioCache {
    blobs: Arc<dyn BlobStore>,
    directory: WorkDirectory,
    limit: u64,
    /// Least recently used first.
    entries: Mutex<Vec<Arc<Entry>>>,
}

struct Entry {
    key: BlobKey,
    bytes: u64,
    path: PathBuf,
    /// Set once the file is complete.
    fetched: OnceCell<()>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        // An error says that it was never fetched, or was removed with the directory.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A local file that exists until this is dropped.
pub(super) struct LocalAudio(Arc<Entry>);

impl LocalAudio {
    pub(super) fn path(&self) -> &Path {
        &self.0.path
    }
}

impl AudioCache {
    /// An empty cache in a new directory within `parent`, which is removed when the cache is dropped.
    pub(super) fn new(parent: &Path, limit: u64, blobs: Arc<dyn BlobStore>) -> std::io::Result<Self> {
        temp_dirs::clean(parent, DIRECTORY)?;
        let directory = temp_dirs::create(parent, DIRECTORY)?;
        Ok(Self { blobs, directory, limit, entries: Mutex::default() })
    }

    /// Removes what killed workers have left in `parent`, for as long as it is polled.
    pub(super) async fn keep_clean(parent: &Path) -> Infallible {
        temp_dirs::keep_clean(parent, DIRECTORY).await
    }

    /// The local copy of a blob that is still what its job has `recorded`; fetched if it is not in the cache. Callers that
    /// request the same one wait for one fetch.
    pub(super) async fn get(&self, key: &BlobKey, recorded: &BlobInfo) -> Result<LocalAudio, BlobError> {
        let entry = self.entry(key, recorded.bytes);
        let fetch = || async {
            // If the blob was replaced, the checksum that the storage keeps may have been replaced with it.
            let found = self.blobs.download_to(key, &entry.path).await?.sha256;
            if found == recorded.sha256 {
                return Ok(());
            }
            Err(BlobError::Corrupt { key: key.clone(), found, recorded: recorded.sha256.clone() })
        };
        entry.fetched.get_or_try_init(fetch).await?;
        Ok(LocalAudio(entry))
    }

    fn entry(&self, key: &BlobKey, bytes: u64) -> Arc<Entry> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = if let Some(known) = entries.iter().position(|entry| entry.key == *key) {
            entries.remove(known)
        } else {
            let path = self.directory.path().join(key.as_str().replace('/', "_"));
            Arc::new(Entry { key: key.clone(), bytes, path, fetched: OnceCell::new() })
        };
        entries.push(Arc::clone(&entry));
        // A file that is dropped here and still in use exists until its last user is done.
        let mut total: u64 = entries.iter().map(|entry| entry.bytes).sum();
        while total > self.limit && entries.len() > 1 {
            total -= entries.remove(0).bytes;
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use ytcaption_blobstore::LocalDirectory;

    use super::*;

    #[tokio::test]
    async fn a_blob_is_fetched_once_and_the_oldest_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let blobs: Arc<dyn BlobStore> = Arc::new(LocalDirectory::open(&root.path().join("blobs")).await.unwrap());
        let keys = ["a", "b", "c"].map(|name| BlobKey::new(format!("audio/{name}.flac")).unwrap());
        let mut recorded = None;
        for key in &keys {
            recorded = Some(blobs.put_stream(key, &mut &b"0123456789"[..], 100).await.unwrap());
        }
        let recorded = recorded.unwrap();
        let cache = AudioCache::new(root.path(), 20, Arc::clone(&blobs)).unwrap();
        let first = cache.get(&keys[0], &recorded).await.unwrap();
        blobs.delete(&keys[0]).await.unwrap();
        let again = cache.get(&keys[0], &recorded).await.unwrap();
        assert_eq!(first.path(), again.path());

        drop(cache.get(&keys[1], &recorded).await.unwrap());
        drop(cache.get(&keys[2], &recorded).await.unwrap());
        assert_eq!(std::fs::read(first.path()).unwrap(), b"0123456789", "a file in use stays");
        let path = first.path().to_owned();
        drop((first, again));
        assert!(!path.exists(), "the oldest was removed");
        assert!(matches!(cache.get(&keys[0], &recorded).await, Err(BlobError::NotFound { .. })));
    }
}
