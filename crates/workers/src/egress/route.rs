//! From a name to a connection: the name is resolved once, and the addresses that the policy permits are connected to.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;
use ytcaption_domain::network::AddressPolicy;

use super::destination::Destination;
use super::error::EgressError;
use crate::network;

/// Longest time to resolve a name and to connect. Shorter than yt-dlp's own timeout, so that it receives the reason.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection on which nothing is sent or received for this time is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection to a server, closed when it is idle.
pub(super) type Upstream = Pin<Box<TimeoutStream<TcpStream>>>;

/// Which addresses may be connected to, and through which proxy.
#[derive(Clone)]
pub(super) struct Route {
    policy: AddressPolicy,
    /// The operator's own proxies.
    proxies: Arc<Matcher>,
}

impl Route {
    /// Connects through the proxies in `HTTP_PROXY`, `HTTPS_PROXY` and `ALL_PROXY`, except to the hosts in `NO_PROXY`.
    pub(super) fn from_environment(policy: AddressPolicy) -> Self {
        Self::new(policy, Matcher::from_env())
    }

    pub(super) fn new(policy: AddressPolicy, proxies: Matcher) -> Self {
        Self { policy, proxies: Arc::new(proxies) }
    }

    /// Connects to one of the addresses that the host resolves to, all of them permitted.
    ///
    /// # Errors
    /// See [`EgressError`].
    pub(super) async fn connect(&self, to: &Destination) -> Result<Upstream, EgressError> {
        let connecting = async {
            let addresses = network::resolve(&self.policy, &to.host, to.port).await?;
            match to.origin().and_then(|origin| self.proxies.intercept(&origin)) {
                None => TcpStream::connect(&*addresses).await.map_err(|e| EgressError::Unreachable(e.to_string())),
                Some(proxy) => connect_through(&proxy, addresses[0]).await,
            }
        };
        let connected =
            tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| EgressError::TimedOut)??;
        let mut upstream = TimeoutStream::new(connected);
        upstream.set_read_timeout(Some(IDLE_TIMEOUT));
        upstream.set_write_timeout(Some(IDLE_TIMEOUT));
        Ok(Box::pin(upstream))
    }
}

/// Lets the operator's proxy connect to the address. Not to the name: the proxy would resolve it again.
async fn connect_through(proxy: &Intercept, address: SocketAddr) -> Result<TcpStream, EgressError> {
    if proxy.uri().scheme_str() != Some("http") {
        let scheme = proxy.uri().scheme_str().unwrap_or_default();
        return Err(EgressError::UpstreamProxy(format!("its scheme is {scheme}://, and only http:// is supported")));
    }
    let mut tunnel = Tunnel::new(proxy.uri().clone(), HttpConnector::new());
    if let Some(authorization) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(authorization.clone());
    }
    let target: Uri = format!("http://{address}/")
        .parse()
        .map_err(|error: hyper::http::uri::InvalidUri| EgressError::UpstreamProxy(error.to_string()))?;
    let connected = tunnel.oneshot(target).await.map_err(|error| EgressError::UpstreamProxy(error.to_string()))?;
    Ok(connected.into_inner())
}
