//! Copying a stream while counting and fingerprinting it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{BlobError, BlobInfo, BlobKey};

/// Bytes moved at a time.
pub(crate) const BUFFER_BYTES: usize = 256 * 1024;

/// Moves everything from `source` to `sink`, refusing to pass `limit` bytes.
pub(crate) async fn hashed(
    source: &mut (dyn AsyncRead + Send + Unpin),
    sink: &mut (dyn AsyncWrite + Send + Unpin),
    limit: Option<u64>,
) -> Result<BlobInfo, BlobError> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut hash = Sha256::new();
    let mut bytes: u64 = 0;
    loop {
        let read = source.read(&mut buffer).await.map_err(BlobError::Source)?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        if let Some(limit) = limit.filter(|limit| bytes > *limit) {
            return Err(BlobError::TooLarge { limit });
        }
        hash.update(&buffer[..read]);
        sink.write_all(&buffer[..read]).await?;
    }
    sink.flush().await?;
    Ok(BlobInfo { bytes, sha256: format!("{:x}", hash.finalize()) })
}

/// Size and fingerprint of what `source` yields.
pub(crate) async fn fingerprint(source: &mut (dyn AsyncRead + Send + Unpin)) -> Result<BlobInfo, BlobError> {
    hashed(source, &mut tokio::io::sink(), None).await.map_err(from_store)
}

/// A read error of the store's own bytes is an input/output failure, not a broken sender.
pub(crate) fn from_store(error: BlobError) -> BlobError {
    match error {
        BlobError::Source(error) => BlobError::Io(error),
        other => other,
    }
}

/// A file that is removed when dropped, unless it was renamed away before.
#[derive(Debug)]
pub(crate) struct Unfinished(pub(crate) PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        match std::fs::remove_file(&self.0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(path = %self.0.display(), %error, "left a temporary file"),
        }
    }
}

/// Creates a file that only its owner may read.
pub(crate) async fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(path).await?;
    file.set_max_buf_size(BUFFER_BYTES);
    Ok(file)
}

/// Writes `reader` to `path` through a neighbour file and a rename, comparing with `recorded`.
pub(crate) async fn to_new_file(
    key: &BlobKey,
    reader: &mut (dyn AsyncRead + Send + Unpin),
    path: &Path,
    recorded: BlobInfo,
) -> Result<BlobInfo, BlobError> {
    let mut name = OsString::from(path);
    name.push(format!(".{}.part", uuid::Uuid::new_v4().simple()));
    let part = Unfinished(PathBuf::from(name));
    let mut file = create_private(&part.0).await?;
    let found = hashed(reader, &mut file, None).await.map_err(from_store)?;
    if found != recorded {
        return Err(BlobError::Corrupt { key: key.clone(), found: found.sha256, recorded: recorded.sha256 });
    }
    drop(file);
    fs::rename(&part.0, path).await?;
    Ok(found)
}
