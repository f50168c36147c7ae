//! The connection to NATS.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectError, ConnectOptions, Event};
use percent_encoding::percent_decode_str;
use url::Url;

/// Longest delay between attempts to connect.
const MAX_DELAY: Duration = Duration::from_secs(1);
/// Time between pings to a silent server.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Prepares a connection and returns at once; connecting and reconnecting are tried without end.
///
/// # Errors
/// The URL is not valid.
pub async fn connect(url: &str) -> Result<Client, ConnectError> {
    let (server, reported) = (server_of(url), Arc::new(AtomicBool::new(false)));
    with_credentials(url)
        .name("ytcaption")
        .retry_on_initial_connect()
        .ping_interval(PING_INTERVAL)
        .reconnect_delay_callback(|attempts| {
            let doublings = u32::try_from(attempts).unwrap_or(u32::MAX).min(8);
            Duration::from_millis(10).saturating_mul(1 << doublings).min(MAX_DELAY)
        })
        .event_callback(move |event| {
            let (server, reported) = (server.clone(), Arc::clone(&reported));
            async move { log(&event, &server, &reported) }
        })
        .connect(url)
        .await
}

/// Logs the events of the connection. Connecting is tried about once a second; the first failure is logged.
fn log(event: &Event, server: &str, reported: &AtomicBool) {
    match event {
        Event::Connected => {
            reported.store(false, Ordering::Relaxed);
            tracing::info!(server, "connected to NATS");
        }
        Event::Disconnected => tracing::warn!(server, "lost the connection to NATS; trying to get it back"),
        Event::ClientError(error) if !reported.swap(true, Ordering::Relaxed) => {
            tracing::warn!(server, %error, "cannot reach NATS; trying again until it answers");
        }
        Event::SlowConsumer(_) => tracing::debug!("notifications of published events came faster than they were read"),
        Event::ClientError(_) | Event::Draining | Event::Closed => tracing::debug!(%event, "NATS"),
        other => tracing::warn!(event = %other, "NATS"),
    }
}

/// Host and port of the server, without the credentials that may precede them.
fn server_of(url: &str) -> String {
    let server = url.rsplit_once('@').map_or(url, |(_, server)| server);
    server.rsplit("//").next().unwrap_or(server).to_owned()
}

/// Options with the credentials of a URL, which the client does not read: `user:password@`, or a token before the `@`.
pub fn with_credentials(url: &str) -> ConnectOptions {
    let options = ConnectOptions::new();
    let Ok(url) = Url::parse(url) else { return options };
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    match (url.username(), url.password()) {
        ("", _) => options,
        (token, None) => options.token(plain(token)),
        (user, Some(password)) => options.user_and_password(plain(user), plain(password)),
    }
}

/// Whether the connection is open at the moment.
pub fn is_connected(client: &Client) -> bool {
    client.connection_state() == State::Connected
}

#[cfg(test)]
mod tests {
    use super::server_of;

    #[test]
    fn the_log_names_the_server_and_no_credentials() {
        for (url, server) in [
            ("nats://127.0.0.1:4222", "127.0.0.1:4222"),
            ("nats://user:p@ss@nats.example:4222", "nats.example:4222"),
            ("tls://token@nats.example", "nats.example"),
            ("nats.example:4222", "nats.example:4222"),
        ] {
            assert_eq!(server_of(url), server);
        }
    }
}
