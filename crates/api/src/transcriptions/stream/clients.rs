//! How many streams each client has open.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ytcaption_telemetry::metrics;

/// Whoever has an IPv6 address usually has all that begin with the same 64 bits (RFC 6177).
const SITE_BITS: u32 = 64;

/// The clients with open streams. A client is the address at the other end of the connection: what a header says of
/// another address, any client can write.
pub(super) struct Clients {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One open stream of a client.
pub(super) struct Place {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Clients {
    /// Each may open so many streams.
    pub(super) fn new(most: usize) -> Self {
        metrics::streams_begin();
        Self { most, open: Mutex::default() }
    }

    /// One more stream for the client at that address, unless it has as many as it may.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let client = client(peer);
        let mut open = self.open();
        let streams = open.entry(client).or_default();
        if *streams >= self.most {
            return None;
        }
        *streams += 1;
        metrics::stream_opened();
        Some(Place { clients: Arc::clone(self), client })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
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

/// What counts as one client.
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
    fn each_client_has_its_own_streams_and_gets_back_what_it_closes() {
        let clients = Arc::new(Clients::new(2));
        let admit = |address: &str| clients.admit(address.parse().expect("an address"));
        let (first, second) = (admit("192.0.2.1"), admit("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some() && admit("192.0.2.1").is_none(), "one client, told in two ways");
        let other = admit("192.0.2.2");
        assert!(other.is_some());
        drop(first);
        assert!(admit("192.0.2.1").is_some());
        let site = (admit("2001:db8::1"), admit("2001:db8::ffff:2"));
        assert!(site.0.is_some() && site.1.is_some() && admit("2001:db8::3").is_none(), "one site");
        assert!(admit("2001:db8:0:1::1").is_some(), "another");
        drop((second, other, site));
        assert!(clients.open().is_empty(), "nothing is kept of those who have gone");
    }
}
