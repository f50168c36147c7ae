//! How many streams may be open: in this process, and for each client.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use ytcaption_telemetry::metrics;

use crate::ApiSettings;
use crate::problem::ApiError;

/// The owner of an IPv6 address usually has all addresses with the same first 64 bits (RFC 6177).
const SITE_BITS: u32 = 64;

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
    _client: ClientPermit,
}

impl StreamPermits {
    /// No stream is open yet. Streams end when `stop` is cancelled, so that the server can end: clients reconnect, to
    /// this process or another, and resume where they were.
    pub fn new(settings: &ApiSettings, stop: CancellationToken) -> Self {
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
    pub(super) fn acquire(&self, peer: IpAddr) -> Result<StreamPermit, ApiError> {
        let all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| ApiError::TooManyStreams)?;
        let client = self.clients.acquire(peer).ok_or(ApiError::TooManyStreamsOfClient)?;
        Ok(StreamPermit { stop: self.stop.clone(), _all: all, _client: client })
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

/// The clients with open streams. A client is the address at the other end of the connection: any client can write
/// another address into a header.
struct Clients {
    limit: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One open stream of a client.
struct ClientPermit {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Clients {
    /// Each client may have at most `limit` streams open.
    fn new(limit: usize) -> Self {
        metrics::streams_begin();
        Self { limit, open: Mutex::default() }
    }

    fn acquire(self: &Arc<Self>, peer: IpAddr) -> Option<ClientPermit> {
        let client = client(peer);
        let mut open = self.open();
        let streams = open.entry(client).or_default();
        if *streams >= self.limit {
            return None;
        }
        *streams += 1;
        metrics::stream_opened();
        Some(ClientPermit { clients: Arc::clone(self), client })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ClientPermit {
    fn drop(&mut self) {
        metrics::stream_closed();
        let mut open = self.clients.open();
        if let Some(streams) = open.get_mut(&self.client) {
            *streams -= 1;
            if *streams == 0 {
                open.remove(&self.client);
            }
        }
    }
}

/// The address that counts as the client of a peer.
fn client(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let site = u128::MAX << (Ipv6Addr::BITS - SITE_BITS);
            Ipv6Addr::from_bits(address.to_bits() & site).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_streams_and_a_closed_one_is_free_again() {
        let clients = Arc::new(Clients::new(2));
        let acquire = |address: &str| clients.acquire(address.parse().expect("an address"));
        let (first, second) = (acquire("192.0.2.1"), acquire("::ffff:192.0.2.1"));
        assert!(
            first.is_some() && second.is_some() && acquire("192.0.2.1").is_none(),
            "one client, written in two ways"
        );
        let other = acquire("192.0.2.2");
        assert!(other.is_some());
        drop(first);
        assert!(acquire("192.0.2.1").is_some());
        let site = (acquire("2001:db8::1"), acquire("2001:db8::ffff:2"));
        assert!(site.0.is_some() && site.1.is_some() && acquire("2001:db8::3").is_none(), "one site");
        assert!(acquire("2001:db8:0:1::1").is_some(), "another");
        drop((second, other, site));
        assert!(clients.open().is_empty(), "no client without a stream is kept");
    }
}
