//! The HTTP server: accepts connections and ends them in order.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::serve::Listener;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Layer as _;

use crate::clients::Clients;
use crate::{ApiSettings, TrustedProxies};

/// File descriptors that are left for everything else.
const OTHER_FILES: u64 = 256;

/// What connections may be. Each costs a file descriptor and some kilobytes; one too many is closed at once, so that those who
/// hold connections open without a request silence the server for no other client.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    header_timeout: Duration,
    connections: usize,
    per_client: usize,
    proxies: TrustedProxies,
}

impl ConnectionLimits {
    /// Those of the settings; the connections of these proxies are of many clients.
    pub fn new(settings: &ApiSettings, proxies: TrustedProxies) -> Self {
        Self {
            header_timeout: settings.header_timeout,
            connections: settings.max_connections,
            per_client: settings.max_connections_per_client,
            proxies,
        }
    }
}

/// Serves requests (HTTP/1.1) until `shutdown` is done, then waits until those in progress have ended. Each request has
/// the address of its peer as [`ConnectInfo<SocketAddr>`](ConnectInfo).
///
/// A connection is closed when the head of a request has not arrived within the header timeout, counted from the start of
/// the connection or from the previous answer: clients that send a byte now and then would else use up all connections.
pub async fn serve(
    mut listener: TcpListener,
    router: Router,
    limits: &ConnectionLimits,
    shutdown: impl Future<Output = ()> + Send,
) {
    // HTTP/1.1 alone: to find out whether a connection uses HTTP/2, the server would wait for its first bytes without a
    // limit.
    let mut http = Builder::new(TokioExecutor::new()).http1_only();
    http.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
    let (stop, connections) = (CancellationToken::new(), TaskTracker::new());
    let max_connections = permitted(limits.connections);
    let clients = Arc::new(Clients::new(limits.per_client.min(max_connections.div_ceil(2))));
    let mut shutdown = pin!(shutdown);
    loop {
        // Retries after errors of single connections, and waits when there are no more file descriptors.
        let (stream, peer) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            () = &mut shutdown => break,
        };
        if connections.len() >= max_connections {
            tracing::warn!(max_connections, %peer, "a connection was closed: there are as many as there may be");
            continue;
        }
        let counted = (!limits.proxies.trusts(peer.ip())).then(|| clients.acquire(peer.ip()));
        if let Some(None) = counted {
            tracing::warn!(%peer, "a connection was closed: this client has as many as it may have");
            continue;
        }
        let served = serve_connection(http.clone(), stream, peer, router.clone(), stop.clone());
        connections.spawn(async move {
            served.await;
            drop(counted);
        });
    }
    drop(listener);
    stop.cancel();
    connections.close();
    connections.wait().await;
}

/// As many of the wanted connections as there are file descriptors for, after the process' own limit was raised to what it
/// may have.
fn permitted(wanted: usize) -> usize {
    let files = (wanted as u64).saturating_add(OTHER_FILES);
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(files, |(soft, hard)| {
        let raised = hard.min(files);
        if soft < raised && setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() { raised } else { soft }
    });
    usize::try_from(limit.saturating_sub(OTHER_FILES)).unwrap_or(wanted).clamp(1, wanted.max(1))
}

/// Serves the requests of one connection.
async fn serve_connection(
    http: Builder<TokioExecutor>,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    stop: CancellationToken,
) {
    // Sends the small pieces of a stream of captions at once.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "TCP_NODELAY cannot be set on a connection");
    }
    let service = TowerToHyperService::new(Extension(ConnectInfo(peer)).layer(router));
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, %peer, "a connection ended with an error");
    }
}
