//! The only way out of a download: a forward proxy on loopback, for the download's own programs alone.
//!
//! yt-dlp and ffmpeg look names up and follow redirects by themselves, so what was checked before they started need not
//! be what they connect to (server-side request forgery, DNS rebinding). Therefore they connect to nothing: they ask
//! this proxy, which resolves the name once, asks the policy about the addresses, and connects to those very addresses.
//!
//! ```text
//! yt-dlp, ffmpeg ──▶ EgressProxy ──resolve, ask the policy, connect──▶ the server, or the operator's own proxy
//!       └─ anything else ──▶ ✗  confine: the kernel lets them connect to the proxy's port only
//! ```

mod destination;
mod error;
mod forward;
mod key;
mod route;
mod sandbox;
mod service;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use ytcaption_domain::network::AddressPolicy;

pub(crate) use error::{Blocked, EgressError};
pub(crate) use sandbox::{is_enforced, spawn};

use key::Key;
use route::Route;
use service::ProxyService;

/// Connections that one download may have at a time. yt-dlp fetches one thing after the other, ffmpeg a few.
const MOST_CONNECTIONS: usize = 16;
/// Pause after the system could not accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How programs are told of a proxy. Nothing sets `no_proxy`, so no host is exempt.
const VARIABLES: [&str; 6] = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// How the downloads of a worker get out.
#[derive(Clone)]
pub(crate) struct Egress {
    route: Route,
}

impl Egress {
    /// Within `policy`; through the proxy that the environment of this process names, if it names one.
    pub(crate) fn new(policy: AddressPolicy) -> Self {
        Self { route: Route::from_environment(policy) }
    }

    /// A proxy for one download.
    ///
    /// # Errors
    /// The system gives no port.
    pub(crate) async fn proxy(&self) -> std::io::Result<EgressProxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (key, userinfo) = Key::generate();
        let gate = Arc::new(ProxyService::new(self.route.clone(), key));
        let serving = AbortOnDropHandle::new(tokio::spawn(serve(listener, Arc::clone(&gate))));
        Ok(EgressProxy { address, userinfo, gate, _serving: serving })
    }
}

/// A running proxy. Dropping it closes it and every connection through it.
pub(crate) struct EgressProxy {
    address: SocketAddr,
    userinfo: String,
    gate: Arc<ProxyService>,
    _serving: AbortOnDropHandle<()>,
}

impl EgressProxy {
    /// The only port that the download's programs need.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The variables that send a program through the proxy. They carry its password, and unlike a command line they are
    /// shown to nobody but the same user.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, String)> {
        let url = format!("http://{}@{}", self.userinfo, self.address);
        VARIABLES.into_iter().map(move |name| (name, url.clone()))
    }

    /// The last connection asked for, if it was not let through.
    pub(crate) fn blocked(&self) -> Option<Blocked> {
        self.gate.blocked()
    }
}

async fn serve(listener: TcpListener, gate: Arc<ProxyService>) {
    // Dropped with this task, and with it every connection.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // Whoever comes beyond that waits in the listener's queue.
        while connections.len() >= MOST_CONNECTIONS {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((client, _)) => {
                connections.spawn(Arc::clone(&gate).serve(client));
            }
            Err(error) => {
                tracing::warn!(%error, "the proxy of a download could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
