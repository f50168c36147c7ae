//! The connection to NATS.

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
    with_credentials(url)
        .name("ytcaption")
        .retry_on_initial_connect()
        .ping_interval(PING_INTERVAL)
        .reconnect_delay_callback(|attempts| {
            let doublings = u32::try_from(attempts).unwrap_or(u32::MAX).min(8);
            Duration::from_millis(10).saturating_mul(1 << doublings).min(LONGEST_PAUSE)
        })
        .event_callback(async |event| match event {
            Event::Connected => tracing::info!("connected to NATS"),
            Event::Disconnected => tracing::warn!("lost the connection to NATS; trying to get it back"),
            Event::SlowConsumer(_) => tracing::debug!("a doorbell rang more often than it was listened to"),
            other => tracing::warn!(event = %other, "NATS"),
        })
        .connect(url)
        .await
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
