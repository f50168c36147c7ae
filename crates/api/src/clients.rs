//! How much each client holds: open streams, or connections.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The owner of an IPv6 address usually has all addresses with the same first 64 bits (RFC 6177).
const SITE_BITS: u32 = 64;

/// What clients hold at the moment. A client is an IPv4 address, or the first 64 bits of an IPv6 address.
#[derive(Debug)]
pub(crate) struct Clients {
    limit: usize,
    held: Mutex<HashMap<IpAddr, usize>>,
}

/// One thing that a client holds, until it is dropped.
#[derive(Debug)]
pub(crate) struct ClientPermit {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Clients {
    /// Each client may hold at most `limit` at a time.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, held: Mutex::default() }
    }

    /// One more for the client at that address; `None` if it holds as many as it may.
    pub(crate) fn acquire(self: &Arc<Self>, address: IpAddr) -> Option<ClientPermit> {
        let client = client(address);
        let mut held = self.held();
        let number = held.entry(client).or_default();
        if *number >= self.limit {
            return None;
        }
        *number += 1;
        Some(ClientPermit { clients: Arc::clone(self), client })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ClientPermit {
    fn drop(&mut self) {
        let mut held = self.clients.held();
        if let Some(number) = held.get_mut(&self.client) {
            *number -= 1;
            if *number == 0 {
                held.remove(&self.client);
            }
        }
    }
}

/// The address that counts as the client of an address.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
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
    fn each_client_has_its_own_and_what_it_gives_back_is_free_again() {
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
        assert!(clients.held().is_empty(), "no client that holds nothing is kept");
    }
}
