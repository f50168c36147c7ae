//! Name resolution within the policy of [`ytcaption_domain::network`].

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};
use ytcaption_domain::network::{AddressPolicy, AddressRefusal};

/// Why a host is not connected to.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NetworkError {
    /// The policy forbids it.
    #[error(transparent)]
    Refused(#[from] AddressRefusal),
    /// The name resolves to an address that the policy forbids. The text does not say to which: a client who submits URLs could
    /// read the names of the internal network with it. The log does.
    #[error(
        "the host `{host}` has a private, loopback or otherwise internal IP address, and connections to it are not \
         permitted; to permit them, add its network to the setting network.allow"
    )]
    Internal {
        /// The name.
        host: String,
    },
    /// The name does not resolve.
    #[error("the host `{host}` was not found: check the spelling of the URL")]
    Unresolved {
        /// The name.
        host: String,
    },
}

/// Checks a URL, and every address that its host name resolves to.
///
/// # Errors
/// The policy forbids the URL or one of the addresses, or the name does not resolve.
pub async fn check(policy: &AddressPolicy, url: &Url) -> Result<(), NetworkError> {
    policy.check_url(url)?;
    match url.host() {
        Some(Host::Domain(name)) => {
            let port = url.port_or_known_default().unwrap_or_default();
            resolve(policy, name, port).await.map(drop)
        }
        // A literal address has been checked with the URL.
        _ => Ok(()),
    }
}

/// The addresses that a host name resolves to, all of them permitted.
///
/// # Errors
/// The policy forbids one of the addresses, or the name does not resolve.
pub async fn resolve(policy: &AddressPolicy, name: &str, port: u16) -> Result<Vec<SocketAddr>, NetworkError> {
    let unresolved = || NetworkError::Unresolved { host: name.to_owned() };
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name, port)).await.map_err(|_| unresolved())?.collect();
    match found.iter().find(|address| !policy.permits(address.ip())) {
        // A name that also resolves to a private address is refused, whichever address would be tried first.
        Some(address) if name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() => {
            Err(AddressRefusal::Private(address.ip()).into())
        }
        Some(address) => {
            tracing::warn!(host = name, address = %address.ip(), "a host has an address that may not be connected to");
            Err(NetworkError::Internal { host: name.to_owned() })
        }
        None if found.is_empty() => Err(unresolved()),
        None => Ok(found),
    }
}
