//! The audio of the jobs at hand as local files, so that the chunks of a job fetch it once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;
use tokio::sync::OnceCell;
use ytcaption_blobstore::{BlobError, BlobKey, BlobStore};

use crate::stages::leftovers;

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
        leftovers::sweep(parent, FOLDER)?;
        let folder = leftovers::folder(parent, FOLDER)?;
        Ok(Self { blobs, folder, limit, entries: Mutex::default() })
    }

    /// The local copy of a blob; fetched if it is not there. Callers that ask for the same one wait for one fetch.
    pub(super) async fn get(&self, key: &BlobKey, bytes: u64) -> Result<LocalAudio, BlobError> {
        let entry = self.entry(key, bytes);
        entry.fetched.get_or_try_init(|| async { self.blobs.download_to(key, &entry.path).await.map(drop) }).await?;
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

    use ytcaption_blobstore::LocalFolder;

    use super::*;

    #[tokio::test]
    async fn a_blob_is_fetched_once_and_the_oldest_makes_room() {
        let root = tempfile::tempdir().unwrap();
        let blobs: Arc<dyn BlobStore> = Arc::new(LocalFolder::open(&root.path().join("blobs")).await.unwrap());
        let keys = ["a", "b", "c"].map(|name| BlobKey::new(format!("audio/{name}.flac")).unwrap());
        for key in &keys {
            blobs.put_stream(key, &mut &b"0123456789"[..], 100).await.unwrap();
        }
        let cache = AudioCache::new(root.path(), 20, Arc::clone(&blobs)).unwrap();
        let first = cache.get(&keys[0], 10).await.unwrap();
        blobs.delete(&keys[0]).await.unwrap();
        let again = cache.get(&keys[0], 10).await.unwrap();
        assert_eq!(first.path(), again.path());

        drop(cache.get(&keys[1], 10).await.unwrap());
        drop(cache.get(&keys[2], 10).await.unwrap());
        assert_eq!(std::fs::read(first.path()).unwrap(), b"0123456789", "a file in use stays");
        let path = first.path().to_owned();
        drop((first, again));
        assert!(!path.exists(), "the oldest made room");
        assert!(matches!(cache.get(&keys[0], 10).await, Err(BlobError::NotFound { .. })));
    }
}
