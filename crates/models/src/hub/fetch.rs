//! Downloading one file, from where the last attempt ended.

use std::path::Path;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder, Retryable as _};
use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use super::checksum::Hasher;
use super::client::{Remote, host_of, unreachable};
use super::{Hub, HubError, Reference};

/// Retries in a row without progress before the download fails.
const MAX_RETRIES: usize = 6;
const MAX_DELAY: Duration = Duration::from_secs(30);
/// A partial file is read this many bytes at a time.
const READ_BYTES: usize = 1 << 20;

/// A file to download.
pub(super) struct Wanted<'a> {
    pub(super) from: &'a Reference,
    pub(super) commit: &'a str,
    pub(super) file: &'static str,
    pub(super) remote: Remote,
}

/// A file that is being downloaded.
struct Arriving {
    file: File,
    hasher: Hasher,
    have: u64,
}

impl Hub {
    /// Downloads a file to `path`, which may hold a part of it, and returns its SHA-256. `arrived` is called with the bytes
    /// that `path` holds.
    pub(super) async fn fetch(
        &self,
        wanted: &Wanted<'_>,
        path: &Path,
        arrived: &mut (dyn FnMut(u64) + Send),
    ) -> Result<String, HubError> {
        let bytes = wanted.remote.bytes;
        let mut arriving = Arriving::open(path, bytes).await.map_err(HubError::io(path))?;
        arrived(arriving.have);
        let (mut delays, mut most) = (self.backoff().build(), arriving.have);
        while arriving.have < bytes {
            let Err(error) = self.request_rest(wanted, path, &mut arriving, arrived).await else { continue };
            // Only bytes that never arrived before are progress: a server may make us begin again for ever.
            let delay = if arriving.have > most {
                delays = self.backoff().build();
                Some(self.first_delay)
            } else {
                delays.next()
            };
            let Some(delay) = delay.filter(|_| error.is_transient()) else { return Err(error) };
            tracing::debug!(%error, file = wanted.file, have = arriving.have, "retrying");
            most = most.max(arriving.have);
            tokio::time::sleep(delay).await;
        }
        arriving.file.sync_all().await.map_err(HubError::io(path))?;
        let Some(sha256) = arriving.hasher.verify(&wanted.remote.checksum) else {
            tokio::fs::remove_file(path).await.map_err(HubError::io(path))?;
            return Err(HubError::Checksum { file: wanted.file });
        };
        Ok(sha256)
    }

    /// Repeats a request while it fails with a transient error.
    pub(super) async fn with_retries<T>(&self, request: impl AsyncFn() -> Result<T, HubError>) -> Result<T, HubError> {
        (|| request()).retry(self.backoff()).when(HubError::is_transient).await
    }

    fn backoff(&self) -> ExponentialBuilder {
        ExponentialBuilder::default()
            .with_min_delay(self.first_delay)
            .with_max_delay(MAX_DELAY)
            .with_max_times(MAX_RETRIES)
    }

    /// One request for all that is missing.
    async fn request_rest(
        &self,
        wanted: &Wanted<'_>,
        path: &Path,
        arriving: &mut Arriving,
        arrived: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), HubError> {
        let bytes = wanted.remote.bytes;
        let mut response = self.content(wanted.from, wanted.commit, wanted.file, arriving.have).await?;
        let url = response.url().clone();
        let protocol = |reason: &str| HubError::Protocol { host: host_of(&url), reason: reason.to_owned() };
        match response.status() {
            StatusCode::PARTIAL_CONTENT if range_start(&response) != Some(arriving.have) => {
                return Err(protocol("it sends another part of the file than was requested"));
            }
            StatusCode::PARTIAL_CONTENT => {}
            // The server ignores the range, or its file is shorter than the part that arrived.
            StatusCode::RANGE_NOT_SATISFIABLE if arriving.have == 0 => return Err(protocol("it refuses every range")),
            status => {
                arriving.restart(bytes).await.map_err(HubError::io(path))?;
                arrived(0);
                if status == StatusCode::RANGE_NOT_SATISFIABLE {
                    let reason = "its file is shorter than it announced".to_owned();
                    return Err(HubError::Unreachable { host: host_of(&url), reason });
                }
            }
        }
        while let Some(piece) = response.chunk().await.map_err(|error| unreachable(&url, error))? {
            if arriving.have + piece.len() as u64 > bytes {
                return Err(protocol(&format!("{} is larger than it announced", wanted.file)));
            }
            arriving.append(&piece).await.map_err(HubError::io(path))?;
            arrived(arriving.have);
        }
        if arriving.have < bytes {
            return Err(HubError::Unreachable { host: host_of(&url), reason: "the connection ended early".to_owned() });
        }
        Ok(())
    }
}

impl Arriving {
    /// Opens the file and hashes the part that it holds.
    async fn open(path: &Path, bytes: u64) -> std::io::Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path).await?;
        let mut arriving = Self { file, hasher: Hasher::new(bytes), have: 0 };
        if arriving.file.metadata().await?.len() > bytes {
            arriving.restart(bytes).await?;
        }
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = arriving.file.read(&mut buffer).await?;
            if read == 0 {
                return Ok(arriving);
            }
            arriving.hasher.update(&buffer[..read]);
            arriving.have += read as u64;
        }
    }

    async fn restart(&mut self, bytes: u64) -> std::io::Result<()> {
        self.file.set_len(0).await?;
        self.file.rewind().await?;
        self.hasher = Hasher::new(bytes);
        self.have = 0;
        Ok(())
    }

    async fn append(&mut self, piece: &[u8]) -> std::io::Result<()> {
        self.file.write_all(piece).await?;
        // The flush reports errors that the write did not: above all a full disk.
        self.file.flush().await?;
        self.hasher.update(piece);
        self.have += piece.len() as u64;
        Ok(())
    }
}

/// The offset of the first byte of a response: `Content-Range: bytes FIRST-LAST/ALL`.
fn range_start(response: &Response) -> Option<u64> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}
