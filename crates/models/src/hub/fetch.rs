//! One file, from wherever the last attempt left off.

use std::path::Path;
use std::time::Duration;

use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use super::checksum::Sum;
use super::client::{Remote, host_of, unreachable};
use super::{Hub, HubError, Reference};

/// Tries in a row that bring nothing before it is given up.
const MOST_TRIES: u32 = 6;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A file is read so many bytes at a time.
const READ_BYTES: usize = 1 << 20;

/// A file to fetch.
pub(super) struct Wanted<'a> {
    pub(super) from: &'a Reference,
    pub(super) commit: &'a str,
    pub(super) file: &'static str,
    pub(super) remote: Remote,
}

/// A file on its way.
struct Arriving {
    file: File,
    sum: Sum,
    have: u64,
}

impl Hub {
    /// Brings a file to `path`, of which a part may be there; `arrived` is told how much is. Answers its SHA-256.
    pub(super) async fn fetch(
        &self,
        wanted: &Wanted<'_>,
        path: &Path,
        arrived: &mut (dyn FnMut(u64) + Send),
    ) -> Result<String, HubError> {
        let bytes = wanted.remote.bytes;
        let mut arriving = Arriving::open(path, bytes).await.map_err(HubError::io(path))?;
        arrived(arriving.have);
        let (mut tries, mut most) = (0, arriving.have);
        while arriving.have < bytes {
            match self.rest(wanted, path, &mut arriving, arrived).await {
                Ok(()) => {}
                Err(error) if error.is_transient() && tries < MOST_TRIES => {
                    tracing::debug!(%error, file = wanted.file, have = arriving.have, "trying again");
                    // Only what was never here before is progress: a server may make us begin again for ever.
                    tries = if arriving.have > most { 0 } else { tries + 1 };
                    most = most.max(arriving.have);
                    self.pause(tries).await;
                }
                Err(error) => return Err(error),
            }
        }
        arriving.file.sync_all().await.map_err(HubError::io(path))?;
        let Some(sha256) = arriving.sum.check(&wanted.remote.checksum) else {
            tokio::fs::remove_file(path).await.map_err(HubError::io(path))?;
            return Err(HubError::Checksum { file: wanted.file });
        };
        Ok(sha256)
    }

    /// Repeats a question until it is answered, or cannot be.
    pub(super) async fn insist<T>(&self, ask: impl AsyncFn() -> Result<T, HubError>) -> Result<T, HubError> {
        let mut tries = 0;
        loop {
            match ask().await {
                Err(error) if error.is_transient() && tries < MOST_TRIES => {
                    tries += 1;
                    self.pause(tries).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn pause(&self, tries: u32) {
        let pause = self.first_pause.saturating_mul(1 << tries.saturating_sub(1).min(16));
        tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
    }

    /// One request for all that is missing.
    async fn rest(
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
            StatusCode::PARTIAL_CONTENT if begins_at(&response) != Some(arriving.have) => {
                return Err(protocol("it sends another part of the file than was asked for"));
            }
            StatusCode::PARTIAL_CONTENT => {}
            // It cannot go on in the middle, or what we have is not a part of what it has.
            StatusCode::RANGE_NOT_SATISFIABLE if arriving.have == 0 => return Err(protocol("it refuses every range")),
            status => {
                arriving.restart(bytes).await.map_err(HubError::io(path))?;
                arrived(0);
                if status == StatusCode::RANGE_NOT_SATISFIABLE {
                    let reason = "what it has of the file is shorter than it announced".to_owned();
                    return Err(HubError::Unreachable { host: host_of(&url), reason });
                }
            }
        }
        while let Some(piece) = response.chunk().await.map_err(|error| unreachable(&url, error))? {
            if arriving.have + piece.len() as u64 > bytes {
                return Err(protocol(&format!("{} is larger than it announced", wanted.file)));
            }
            arriving.take(&piece).await.map_err(HubError::io(path))?;
            arrived(arriving.have);
        }
        if arriving.have < bytes {
            return Err(HubError::Unreachable { host: host_of(&url), reason: "the connection ended early".to_owned() });
        }
        Ok(())
    }
}

impl Arriving {
    /// Opens what is there, and adds it up.
    async fn open(path: &Path, bytes: u64) -> std::io::Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path).await?;
        let mut arriving = Self { file, sum: Sum::new(bytes), have: 0 };
        if arriving.file.metadata().await?.len() > bytes {
            arriving.restart(bytes).await?;
        }
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = arriving.file.read(&mut buffer).await?;
            if read == 0 {
                return Ok(arriving);
            }
            arriving.sum.add(&buffer[..read]);
            arriving.have += read as u64;
        }
    }

    async fn restart(&mut self, bytes: u64) -> std::io::Result<()> {
        self.file.set_len(0).await?;
        self.file.rewind().await?;
        self.sum = Sum::new(bytes);
        self.have = 0;
        Ok(())
    }

    async fn take(&mut self, piece: &[u8]) -> std::io::Result<()> {
        self.file.write_all(piece).await?;
        // What a write did not tell, the flush does: that the disk is full, above all.
        self.file.flush().await?;
        self.sum.add(piece);
        self.have += piece.len() as u64;
        Ok(())
    }
}

/// The first byte that an answer brings: `Content-Range: bytes FIRST-LAST/ALL`.
fn begins_at(response: &Response) -> Option<u64> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}
