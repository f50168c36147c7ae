//! The one trait every blob store implements.

use std::path::Path;
use std::time::SystemTime;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncRead;

use crate::{BlobError, BlobKey, copy};

/// A blob's bytes, streamed.
pub type BlobReader = Box<dyn AsyncRead + Send + Unpin>;

/// Size and fingerprint of a stored blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobInfo {
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// A blob in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlob {
    /// Its key.
    pub key: BlobKey,
    /// When it was last stored, by the clock of the storage.
    pub stored_at: SystemTime,
}

/// Stores blobs. See the [crate documentation](crate) for what every implementation promises.
///
/// Dropping a `put_…` future leaves no visible blob behind.
#[async_trait]
pub trait BlobStore: Send + Sync + std::fmt::Debug {
    /// Stores the file at `path` under `key`, replacing what was there.
    ///
    /// # Errors
    /// [`BlobError::Io`] when `path` cannot be read or the store cannot write,
    /// [`BlobError::Unreachable`].
    async fn put_file(&self, key: &BlobKey, path: &Path) -> Result<BlobInfo, BlobError>;

    /// Stores everything `source` yields, at most `limit` bytes, under `key`.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`] past `limit`, [`BlobError::Source`] when `source` breaks off (in
    /// both cases nothing is stored), [`BlobError::Unreachable`], [`BlobError::Io`].
    async fn put_stream(
        &self,
        key: &BlobKey,
        source: &mut (dyn AsyncRead + Send + Unpin),
        limit: u64,
    ) -> Result<BlobInfo, BlobError>;

    /// Streams the whole blob.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::Unreachable`], [`BlobError::Io`].
    async fn open(&self, key: &BlobKey) -> Result<BlobReader, BlobError>;

    /// Size and fingerprint. A blob that another program put there without a fingerprint is
    /// read through to make one.
    ///
    /// # Errors
    /// As [`Self::open`].
    async fn info(&self, key: &BlobKey) -> Result<BlobInfo, BlobError>;

    /// Removes the blob; one that is not there counts as removed.
    ///
    /// # Errors
    /// [`BlobError::Unreachable`], [`BlobError::Io`].
    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError>;

    /// At most `limit` blobs whose keys begin with `directory` and a slash, in the order of their keys, and after the key
    /// `after`. Fewer than `limit` say that there are no more. Files that are not blobs are left out.
    ///
    /// # Errors
    /// [`BlobError::Unreachable`], [`BlobError::Io`].
    async fn list(&self, directory: &str, after: Option<&BlobKey>, limit: usize) -> Result<Vec<StoredBlob>, BlobError>;

    /// Removes what killed processes left of blobs that they never finished, if the storage does not do that itself.
    ///
    /// # Errors
    /// [`BlobError::Unreachable`].
    async fn remove_unfinished(&self) -> Result<(), BlobError> {
        Ok(())
    }

    /// A cheap test that the store can be used, for readiness probes.
    ///
    /// # Errors
    /// [`BlobError::Unreachable`] with a hint for the operator who has to fix it.
    async fn check(&self) -> Result<(), BlobError>;

    /// Copies the blob into the file `path`, which appears only when it is complete and its
    /// SHA-256 is the recorded one. The file's directory must exist.
    ///
    /// # Errors
    /// [`BlobError::Corrupt`]; else as [`Self::open`].
    async fn download_to(&self, key: &BlobKey, path: &Path) -> Result<BlobInfo, BlobError> {
        let recorded = self.info(key).await?;
        let mut reader = self.open(key).await?;
        copy::to_new_file(key, &mut reader, path, recorded).await
    }
}
