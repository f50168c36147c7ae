//! The connection to NATS.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectError, ConnectOptions, Event};
use percent_encoding::percent_decode_str;
use url::Url;

/// Longest pause between attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often a silent server is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Prepares a connection and returns at once: a server that is not there, or goes away, is looked for without end.
///
/// # Errors
/// The address cannot be read.
pub async fn connect(url: &str) -> Result<Client, ConnectError> {
    let (server, said) = (server_of(url), Arc::new(AtomicBool::new(false)));
    with_credentials(url)
        .name("ytcaption")
        .retry_on_initial_connect()
        .ping_interval(PING_INTERVAL)
        .reconnect_delay_callback(|attempts| {
            let doublings = u32::try_from(attempts).unwrap_or(u32::MAX).min(8);
            Duration::from_millis(10).saturating_mul(1 << doublings).min(LONGEST_PAUSE)
        })
        .event_callback(move |event| {
            let (server, said) = (server.clone(), Arc::clone(&said));
            async move { tell(&event, &server, &said) }
        })
        .connect(url)
        .await
}

/// Says what the connection meets. It is tried about once a second, and that it cannot be made is said once.
fn tell(event: &Event, server: &str, said: &AtomicBool) {
    match event {
        Event::Connected => {
            said.store(false, Ordering::Relaxed);
            tracing::info!(server, "connected to NATS");
        }
        Event::Disconnected => tracing::warn!(server, "lost the connection to NATS; trying to get it back"),
        Event::ClientError(error) if !said.swap(true, Ordering::Relaxed) => {
            tracing::warn!(server, %error, "cannot reach NATS; trying again until it answers");
        }
        Event::SlowConsumer(_) => tracing::debug!("a doorbell rang more often than it was listened to"),
        Event::ClientError(_) | Event::Draining | Event::Closed => tracing::debug!(%event, "NATS"),
        other => tracing::warn!(event = %other, "NATS"),
    }
}

/// Where the server is, without the credentials that may stand before it.
fn server_of(url: &str) -> String {
    let place = url.rsplit_once('@').map_or(url, |(_, place)| place);
    place.rsplit("//").next().unwrap_or(place).to_owned()
}

/// The client takes a server's address but not the credentials in it: `user:password@`, or a token before the `@`.
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

/// Whether the server answers at the moment.
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
