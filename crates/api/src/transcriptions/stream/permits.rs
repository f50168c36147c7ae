//! How many streams may be open: in this process, and for each client.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use ytcaption_telemetry::metrics;

use crate::ApiSettings;
use crate::clients::{ClientPermit, Clients};
use crate::problem::ApiError;

/// Permits to open streams. Cheap to clone.
#[derive(Clone)]
pub struct StreamPermits {
    all: Arc<Semaphore>,
    waits: Arc<Semaphore>,
    clients: Arc<Clients>,
    stop: CancellationToken,
}

impl std::fmt::Debug for StreamPermits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamPermits").field("free", &self.all.available_permits()).finish_non_exhaustive()
    }
}

/// The permit of one open stream.
pub(super) struct StreamPermit {
    stop: CancellationToken,
    _all: OwnedSemaphorePermit,
    _client: OpenStream,
}

impl StreamPermits {
    /// No stream is open yet. Streams end when `stop` is cancelled, so that the server can end: clients reconnect, to
    /// this process or another, and resume where they were.
    pub fn new(settings: &ApiSettings, stop: CancellationToken) -> Self {
        metrics::streams_begin();
        let clients = Arc::new(Clients::new(settings.max_streams_per_client));
        let permits = || Arc::new(Semaphore::new(settings.max_streams));
        Self { all: permits(), waits: permits(), clients, stop }
    }

    /// The permit for one more client to wait; `None` if as many wait as may have streams.
    pub(crate) fn acquire_wait(&self) -> Option<WaitPermit> {
        let wait = Arc::clone(&self.waits).try_acquire_owned().ok()?;
        Some(WaitPermit { stop: self.stop.clone(), _wait: wait })
    }

    /// The permit for one more stream to the client at that address.
    ///
    /// # Errors
    /// The process, or the client, has as many streams open as it may.
    pub(super) fn acquire(&self, client: IpAddr) -> Result<StreamPermit, ApiError> {
        let all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| ApiError::TooManyStreams)?;
        let client = self.clients.acquire(client).ok_or(ApiError::TooManyStreamsOfClient)?;
        Ok(StreamPermit { stop: self.stop.clone(), _all: all, _client: OpenStream::new(client) })
    }
}

/// The permit of one client that waits for the end of a job without a stream.
pub(crate) struct WaitPermit {
    stop: CancellationToken,
    _wait: OwnedSemaphorePermit,
}

impl WaitPermit {
    /// Returns when waits have to end.
    pub(crate) async fn stopped(&self) {
        self.stop.cancelled().await;
    }
}

impl StreamPermit {
    /// Returns when streams have to end.
    pub(super) async fn stopped(&self) {
        self.stop.cancelled().await;
    }
}

/// The permit of one open stream of a client, counted in the metrics.
struct OpenStream(#[expect(dead_code, reason = "it is held until the stream ends")] ClientPermit);

impl OpenStream {
    fn new(permit: ClientPermit) -> Self {
        metrics::stream_opened();
        Self(permit)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        metrics::stream_closed();
    }
}
