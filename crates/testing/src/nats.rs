//! A nats-server with JetStream for one test.

use std::net::TcpStream;
use std::process::Child;

use crate::process::{free_port, start_leashed, wait_until};

/// A running nats-server; stopped when dropped.
#[derive(Debug)]
pub struct NatsServer {
    port: u16,
    leash: Child,
}

impl NatsServer {
    /// Starts one on a free port, its data in a directory of its own.
    ///
    /// # Panics
    /// nats-server is not on the PATH or does not start.
    pub fn start() -> Self {
        let directory =
            tempfile::Builder::new().prefix("ytcaption-nats-").tempdir().expect("a temporary directory").keep();
        let port = free_port();
        let server = format!("nats-server -a 127.0.0.1 -p {port} -js -sd '{}'", directory.display());
        let leash = start_leashed(&server, "TERM", &directory);
        wait_until("nats-server (is it on the PATH? `make setup` installs it)", &directory, || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { port, leash }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        drop(self.leash.stdin.take());
        // The server is gone either way; its exit status does not matter to a test.
        let _ = self.leash.wait();
    }
}
