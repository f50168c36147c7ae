//! Which IP addresses the system may connect to for a client.
//!
//! The client who submits a job chooses its URL and the URL of its webhook. Without this policy a client could make the
//! system fetch from its own network (server-side request forgery). Only the IP address counts, so the decision is made
//! on the addresses that a name resolves to, never on the name. Networks by the IANA special-purpose registries (RFC 6890):
//! <https://www.iana.org/assignments/iana-ipv4-special-registry>,
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// IPv4 networks that are not part of the public Internet.
const REFUSED_V4: [Ipv4Net; 16] = [
    v4([0, 0, 0, 0], 8),        // "this network"; Linux connects 0.0.0.0 to itself
    v4([10, 0, 0, 0], 8),       // private
    v4([100, 64, 0, 0], 10),    // carrier-grade NAT
    v4([127, 0, 0, 0], 8),      // loopback
    v4([168, 63, 129, 16], 32), // the host of a virtual machine of Azure, within public addresses
    v4([169, 254, 0, 0], 16),   // link-local; cloud metadata services live here
    v4([172, 16, 0, 0], 12),    // private
    v4([192, 0, 0, 0], 24),     // protocol assignments
    v4([192, 0, 2, 0], 24),     // documentation
    v4([192, 88, 99, 0], 24),   // 6to4 relays
    v4([192, 168, 0, 0], 16),   // private
    v4([198, 18, 0, 0], 15),    // benchmarks
    v4([198, 51, 100, 0], 24),  // documentation
    v4([203, 0, 113, 0], 24),   // documentation
    v4([224, 0, 0, 0], 4),      // multicast
    v4([240, 0, 0, 0], 4),      // reserved, and broadcast
];

/// The only IPv6 addresses that are routed on the public Internet (RFC 4291, section 2.4).
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Exceptions within [`GLOBAL_V6`].
const REFUSED_V6: [Ipv6Net; 3] = [
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // protocol assignments, among them Teredo
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation
];

/// IPv6 forms that carry an IPv4 address in their last 32 bits: IPv4-mapped, IPv4-compatible, NAT64 (RFC 6052).
const EMBEDDING_V4: [Ipv6Net; 3] =
    [v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), v6([0, 0, 0, 0, 0, 0, 0, 0], 96), v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96)];

/// 6to4 (RFC 3056): the IPv4 address follows the first 16 bits.
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16);

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]), prefix)
}

const fn v6(s: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]), prefix)
}

/// A text that is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a network; write it as 10.1.0.0/16 or fd00::/8, a single address as 127.0.0.1/32")]
pub struct NetworkParseError(String);

/// Why a URL is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefusal {
    /// Neither `http` nor `https`.
    #[error("URLs with the scheme `{0}:` are not fetched; use one that begins with http:// or https://")]
    Scheme(String),
    /// The URL has no host.
    #[error("the URL has no host; use one such as https://example.org/video.mp4")]
    NoHost,
    /// The host is not on the public Internet.
    #[error(
        "{0} is a private, loopback or otherwise internal IP address, and connections to it are not permitted; \
         to permit them, add its network to the setting network.allow"
    )]
    Private(IpAddr),
}

/// Decides which addresses may be connected to: the public Internet without this machine, and the networks that the settings
/// exempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    allow: Vec<IpNet>,
    own: Vec<IpAddr>,
}

impl AddressPolicy {
    /// A policy that exempts these networks, written in CIDR form.
    ///
    /// # Errors
    /// One of them is not a network.
    pub fn new<S: AsRef<str>>(allow: impl IntoIterator<Item = S>) -> Result<Self, NetworkParseError> {
        let parse = |text: S| text.as_ref().trim().parse().map_err(|_| NetworkParseError(text.as_ref().to_owned()));
        Ok(Self { allow: allow.into_iter().map(parse).collect::<Result<_, _>>()?, own: Vec::new() })
    }

    /// The same policy, which also refuses the addresses of this machine, public ones too: its services may listen on all of
    /// them and trust every connection that comes from it.
    #[must_use]
    pub fn refusing(self, own: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { own: own.into_iter().map(|address| address.to_canonical()).collect(), ..self }
    }

    /// Whether a connection to this address may be opened.
    pub fn permits(&self, address: IpAddr) -> bool {
        let carried = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(v6) => embedded_v4(v6),
        };
        let exempt = |ip: IpAddr| self.allow.iter().any(|network| network.contains(&ip));
        if exempt(address) || carried.is_some_and(|v4| exempt(IpAddr::V4(v4))) {
            return true;
        }
        if self.own.contains(&address) || carried.is_some_and(|v4| self.own.contains(&IpAddr::V4(v4))) {
            return false;
        }
        match (address, carried) {
            (IpAddr::V4(v4), _) | (IpAddr::V6(_), Some(v4)) => is_public_v4(v4),
            (IpAddr::V6(v6), None) => is_public_v6(v6),
        }
    }

    /// Refuses a URL that can be refused without resolving its host: a wrong scheme, no host, or an internal IP address
    /// in place of a name. A host name passes; the addresses it resolves to must still pass [`Self::permits`].
    ///
    /// # Errors
    /// See [`AddressRefusal`].
    pub fn check_url(&self, url: &Url) -> Result<(), AddressRefusal> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(AddressRefusal::Scheme(url.scheme().to_owned()));
        }
        let literal = match url.host() {
            None => return Err(AddressRefusal::NoHost),
            Some(Host::Domain(_)) => return Ok(()),
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
        };
        if self.permits(literal) { Ok(()) } else { Err(AddressRefusal::Private(literal)) }
    }
}

fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = address.octets();
    let four = |at: usize| Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3]);
    if SIX_TO_FOUR.contains(&address) {
        Some(four(2))
    } else if EMBEDDING_V4.iter().any(|network| network.contains(&address)) && !is_own_v6(address) {
        Some(four(12))
    } else {
        None
    }
}

/// `::` and `::1` have the form of IPv4-compatible addresses, and are none.
fn is_own_v6(address: Ipv6Addr) -> bool {
    address.is_unspecified() || address.is_loopback()
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !REFUSED_V4.iter().any(|network| network.contains(&address))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    GLOBAL_V6.contains(&address) && !REFUSED_V6.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
