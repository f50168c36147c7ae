//! The audio of the jobs at hand as local files, so that the chunks of a job fetch it once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;
use tokio::sync::OnceCell;
use ytcaption_blobstore::{BlobError, BlobInfo, BlobKey, BlobStore};

use crate::steps::temp_dirs;

/// Kind of the folder that a process keeps its audio in.
const FOLDER: &str = "audio";

/// A bounded folder of audio files.
pub(super) struct AudioCache {
    blobs: Arc<dyn BlobStore>,
    folder: TempDir,
    limit: u64,
    /// Least recently used first.
    entries: Mutex<Vec<Arc<Entry>>>,
}

struct Entry {
    key: BlobKey,
    bytes: u64,
    path: PathBuf,
    /// Set once the file is whole.
    fetched: OnceCell<()>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        // Never fetched, or swept away with the folder already.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A local file that stays while this lives.
pub(super) struct LocalAudio(Arc<Entry>);

impl LocalAudio {
    pub(super) fn path(&self) -> &Path {
        &self.0.path
    }
}

impl AudioCache {
    /// An empty cache in a new folder within `parent`, which is removed when the process ends well.
    pub(super) fn new(parent: &Path, limit: u64, blobs: Arc<dyn BlobStore>) -> std::io::Result<Self> {
        temp_dirs::sweep(parent, FOLDER)?;
        let folder = temp_dirs::folder(parent, FOLDER)?;
        Ok(Self { blobs, folder, limit, entries: Mutex::default() })
    }

    /// The local copy of a blob that is still what its job `recorded`; fetched if it is not there. Callers that ask for
    /// the same one wait for one fetch.
    pub(super) async fn get(&self, key: &BlobKey, recorded: &BlobInfo) -> Result<LocalAudio, BlobError> {
        let entry = self.entry(key, recorded.bytes);
        let fetch = || async {
            // Whoever replaced the blob may have replaced the storage's own note of its fingerprint.
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
            let path = self.folder.path().join(key.as_str().replace('/', "_"));
            Arc::new(Entry { key: key.clone(), bytes, path, fetched: OnceCell::new() })
        };
        entries.push(Arc::clone(&entry));
        // What is dropped here and still in use stays until its last user is done.
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
    async fn a_blob_is_fetched_once_and_the_oldest_makes_room() {
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
        assert!(!path.exists(), "the oldest made room");
        assert!(matches!(cache.get(&keys[0], &recorded).await, Err(BlobError::NotFound { .. })));
    }
}
