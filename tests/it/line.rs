//! A line to a server that a test can cut and mend: to the system, the server is not there.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 64;

/// A line to a server; begins cut.
pub(crate) struct Line {
    address: SocketAddr,
    server: SocketAddr,
    state: State,
}

enum State {
    /// Bound and not listening: whoever connects is refused, and nobody else takes the port.
    Cut {
        _port: TcpSocket,
    },
    Whole {
        _forwarding: AbortOnDropHandle<()>,
    },
}

impl Line {
    /// A line, and the same URL with the line's address.
    pub(crate) fn to(url: &str) -> (Self, String) {
        let mut url = Url::parse(url).unwrap();
        let server = SocketAddr::new(url.host_str().unwrap().parse().unwrap(), url.port().unwrap());
        let port = bind("127.0.0.1:0".parse().unwrap());
        let address = port.local_addr().unwrap();
        url.set_port(Some(address.port())).unwrap();
        (Self { address, server, state: State::Cut { _port: port } }, url.to_string())
    }

    /// From now on the server is there.
    pub(crate) fn mend(&mut self) {
        let (address, server) = (self.address, self.server);
        if let State::Cut { .. } = self.state {
            // Both may have the port for this moment, as neither listens yet.
            let listener = bind(address).listen(BACKLOG).unwrap();
            let forwarding = tokio::spawn(async move {
                let mut connections = JoinSet::new();
                while let Ok((mut from, _)) = listener.accept().await {
                    connections.spawn(async move {
                        let Ok(mut to) = TcpStream::connect(server).await else { return };
                        // However it ends, both ends are closed.
                        let _ = copy_bidirectional(&mut from, &mut to).await;
                    });
                }
            });
            self.state = State::Whole { _forwarding: AbortOnDropHandle::new(forwarding) };
        }
    }

    /// From now on the server is not there; connections break.
    pub(crate) async fn cut(&mut self) {
        if let State::Whole { _forwarding: forwarding } = &self.state {
            forwarding.abort();
            while !forwarding.is_finished() {
                tokio::task::yield_now().await;
            }
            self.state = State::Cut { _port: bind(self.address) };
        }
    }
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}
