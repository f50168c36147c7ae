//! A TCP proxy in front of a server. While a test has disabled it, the server is unreachable for the system.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 64;

/// A proxy in front of a server; disabled at first.
pub(crate) struct TcpProxy {
    address: SocketAddr,
    server: SocketAddr,
    state: State,
}

enum State {
    /// Bound and not listening: connections are refused, and no other process gets the port.
    Disabled {
        _port: TcpSocket,
    },
    Enabled {
        _forwarding: AbortOnDropHandle<()>,
    },
}

impl TcpProxy {
    /// A proxy for the server at this URL, and the same URL with the address of the proxy.
    pub(crate) fn new(url: &str) -> (Self, String) {
        let mut url = Url::parse(url).unwrap();
        let server = SocketAddr::new(url.host_str().unwrap().parse().unwrap(), url.port().unwrap());
        let port = bind("127.0.0.1:0".parse().unwrap());
        let address = port.local_addr().unwrap();
        url.set_port(Some(address.port())).unwrap();
        (Self { address, server, state: State::Disabled { _port: port } }, url.to_string())
    }

    /// Accepts connections and forwards them to the server.
    pub(crate) fn enable(&mut self) {
        let (address, server) = (self.address, self.server);
        if let State::Disabled { .. } = self.state {
            // Both sockets may be bound to the port at the same time, because neither listens yet.
            let listener = bind(address).listen(BACKLOG).unwrap();
            let forwarding = tokio::spawn(async move {
                let mut connections = JoinSet::new();
                while let Ok((mut from, _)) = listener.accept().await {
                    connections.spawn(async move {
                        let Ok(mut to) = TcpStream::connect(server).await else { return };
                        // Both connections are closed when this returns, with an error or without.
                        let _ = copy_bidirectional(&mut from, &mut to).await;
                    });
                }
            });
            self.state = State::Enabled { _forwarding: AbortOnDropHandle::new(forwarding) };
        }
    }

    /// Closes all connections and refuses new ones.
    pub(crate) async fn disable(&mut self) {
        if let State::Enabled { _forwarding: forwarding } = &self.state {
            forwarding.abort();
            while !forwarding.is_finished() {
                tokio::task::yield_now().await;
            }
            self.state = State::Disabled { _port: bind(self.address) };
        }
    }
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}
