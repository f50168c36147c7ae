//! The only network access of a download: a forward proxy on loopback, for the download's own programs alone.
//!
//! yt-dlp and ffmpeg resolve names and follow redirects by themselves, so they may connect to other addresses than those
//! that were checked before they started (server-side request forgery, DNS rebinding). Therefore they connect to this
//! proxy only, which resolves the name once, checks the addresses by the policy, and connects to those very addresses.
//!
//! ```text
//! yt-dlp, ffmpeg ──▶ EgressProxy ──resolve, check the policy, connect──▶ the server, or the operator's own proxy
//!       └─ any other connection ──▶ ✗  ytcaption-children: the kernel lets them connect to the proxy's port only
//! ```

mod destination;
mod error;
mod forward;
mod route;
mod service;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use ytcaption_domain::network::AddressPolicy;

pub(crate) use error::{Blocked, EgressError};

use route::Route;
use service::{ProxyCredentials, ProxyService};

/// Connections that one download may have at a time. yt-dlp opens them one after the other, ffmpeg a few at once.
const MAX_CONNECTIONS: usize = 16;
/// Delay after the system could not accept a connection.
const ACCEPT_DELAY: Duration = Duration::from_millis(100);
/// The variables in which programs look for a proxy. `no_proxy` is not set, so no host is exempt.
const VARIABLES: [&str; 6] = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// Creates the proxies of a worker's downloads.
#[derive(Clone)]
pub(crate) struct Egress {
    route: Route,
}

impl Egress {
    /// Proxies that connect within `policy`; through the proxy that the environment of this process names, if it names one.
    pub(crate) fn new(policy: AddressPolicy) -> Self {
        Self { route: Route::from_environment(policy) }
    }

    /// A proxy for one download.
    ///
    /// # Errors
    /// The system has no free port.
    pub(crate) async fn proxy(&self) -> std::io::Result<EgressProxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (credentials, userinfo) = ProxyCredentials::generate();
        let service = Arc::new(ProxyService::new(self.route.clone(), credentials));
        let serving = AbortOnDropHandle::new(tokio::spawn(serve(listener, Arc::clone(&service))));
        Ok(EgressProxy { address, userinfo, service, _serving: serving })
    }
}

/// A running proxy. Dropping it closes it and every connection through it.
pub(crate) struct EgressProxy {
    address: SocketAddr,
    userinfo: String,
    service: Arc<ProxyService>,
    _serving: AbortOnDropHandle<()>,
}

impl EgressProxy {
    /// The only port that the download's programs need.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The variables that direct a program to the proxy. They contain its password; unlike a command line, only processes of
    /// the same user can read them.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, String)> {
        let url = format!("http://{}@{}", self.userinfo, self.address);
        VARIABLES.into_iter().map(move |name| (name, url.clone()))
    }

    /// The last connection that was requested, if it was blocked.
    pub(crate) fn blocked(&self) -> Option<Blocked> {
        self.service.blocked()
    }
}

async fn serve(listener: TcpListener, service: Arc<ProxyService>) {
    // Dropped with this task, and with it every connection.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // Further clients wait in the listener's queue.
        while connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((client, _)) => {
                connections.spawn(Arc::clone(&service).serve(client));
            }
            Err(error) => {
                tracing::warn!(%error, "the proxy of a download could not accept a connection");
                tokio::time::sleep(ACCEPT_DELAY).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
