//! The stream and its consumers: data in `nats/`, created or brought up to date at start.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::context::{Context, ContextBuilder, CreateStreamErrorKind};
use async_nats::jetstream::stream::ConsumerErrorKind;
use async_nats::jetstream::{ErrorCode, stream};

use crate::nats;

/// Oldest nats-server that understands what is asked of it: several filters a consumer, metadata.
const OLDEST_SERVER: (u64, u64) = (2, 10);
/// Pause between attempts to reach a server that is not there.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// So many attempts lie between two lines in the log.
const QUIET_ATTEMPTS: u32 = 10;
/// Longest wait for an answer of JetStream.
const API_TIMEOUT: Duration = Duration::from_secs(5);

/// Answers of JetStream from here on blame the server (as HTTP's do).
const SERVER_ERROR: usize = 500;
/// Answers to whoever was superseded: another process, perhaps of another version, has just created or deleted it. The
/// next attempt sees what there is by then.
const SUPERSEDED: [ErrorCode; 5] = [
    ErrorCode::STREAM_NAME_EXIST,
    ErrorCode::STREAM_NOT_FOUND,
    ErrorCode::CONSUMER_NAME_EXIST,
    ErrorCode::CONSUMER_ALREADY_EXISTS,
    ErrorCode::CONSUMER_NOT_FOUND,
];

pub(crate) const STREAM: &str = include_str!("../../../nats/stream.json");
pub(crate) const CONSUMERS: [&str; 7] = [
    include_str!("../../../nats/consumers/download-high.json"),
    include_str!("../../../nats/consumers/download-normal.json"),
    include_str!("../../../nats/consumers/download-low.json"),
    include_str!("../../../nats/consumers/transcribe-high.json"),
    include_str!("../../../nats/consumers/transcribe-normal.json"),
    include_str!("../../../nats/consumers/transcribe-low.json"),
    include_str!("../../../nats/consumers/notify.json"),
];

/// Why NATS cannot be used, although it answers.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// The server is too old.
    #[error("nats-server {version} is too old: 2.10 or newer is needed; install one, or set NATS_URL to one")]
    OldServer {
        /// What it calls itself.
        version: String,
    },
    /// The server runs without JetStream.
    #[error("JetStream is not enabled on the nats-server: start it with -js, or with nats/nats-server.conf")]
    NoJetStream,
    /// JetStream refuses the stream or a consumer.
    #[error("JetStream refuses {what}: {reason}")]
    Refused {
        /// Which of them.
        what: String,
        /// Its own words.
        reason: String,
    },
}

/// The stream's configuration.
///
/// # Panics
/// Never: the file is part of the program, and a test reads it.
pub fn stream_config() -> stream::Config {
    serde_json::from_str(STREAM).expect("nats/stream.json is checked by a test")
}

/// The configurations of all durable consumers.
///
/// # Panics
/// Never: the files are part of the program, and a test reads them.
pub fn consumer_configs() -> Vec<pull::Config> {
    CONSUMERS.iter().map(|text| serde_json::from_str(text).expect("nats/consumers is checked by a test")).collect()
}

/// The stages whose workers are given what is published under a subject: `download`, `transcribe`, `notify`.
pub fn stages_of(subject: &str) -> Vec<String> {
    let sees = |config: &pull::Config| config.filter_subjects.iter().any(|filter| matches(filter, subject));
    let stage = |config: pull::Config| {
        let name = config.durable_name.unwrap_or_default();
        name.split('-').next().unwrap_or_default().to_owned()
    };
    let mut stages: Vec<String> = consumer_configs().into_iter().filter(sees).map(stage).collect();
    stages.dedup();
    stages
}

/// Whether a subject is one that a filter means; `*` stands for one word, a last `>` for all that follow.
fn matches(filter: &str, subject: &str) -> bool {
    let mut words = subject.split('.');
    for part in filter.split('.') {
        match (part, words.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (part, Some(word)) if part == word => {}
            _ => return false,
        }
    }
    words.next().is_none()
}

/// JetStream over a connection, with time limits for every answer.
pub(crate) fn jetstream(client: &Client) -> Context {
    ContextBuilder::new().timeout(API_TIMEOUT).ack_timeout(API_TIMEOUT).build(client.clone())
}

/// Creates the stream and the consumers, or brings them up to date. Waits without end for a server that does not
/// answer, and says so in the log.
///
/// # Errors
/// The server answers and will never do: it is too old, has no JetStream, or refuses.
pub async fn ensure(client: &Client) -> Result<(), TopologyError> {
    ensure_as(client, &stream_config(), &consumer_configs()).await
}

async fn ensure_as(client: &Client, stream: &stream::Config, consumers: &[pull::Config]) -> Result<(), TopologyError> {
    let mut attempts = 0;
    loop {
        match attempt(client, stream, consumers).await {
            Ok(()) => return Ok(()),
            Err(EnsureError::Permanent(error)) => return Err(error),
            Err(EnsureError::Transient(reason)) if attempts % QUIET_ATTEMPTS == 0 => {
                tracing::warn!(reason, "waiting for NATS JetStream");
            }
            Err(EnsureError::Transient(_)) => {}
        }
        attempts += 1;
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

enum EnsureError {
    Transient(String),
    Permanent(TopologyError),
}

async fn attempt(client: &Client, stream: &stream::Config, consumers: &[pull::Config]) -> Result<(), EnsureError> {
    if !nats::is_connected(client) {
        return Err(EnsureError::Transient("the server does not answer".to_owned()));
    }
    let server = client.server_info();
    if version_of(&server.version).is_none_or(|version| version < OLDEST_SERVER) {
        return Err(EnsureError::Permanent(TopologyError::OldServer { version: server.version }));
    }
    if !server.jetstream {
        return Err(EnsureError::Permanent(TopologyError::NoJetStream));
    }
    let jetstream = jetstream(client);
    jetstream.create_or_update_stream(stream.clone()).await.map_err(|error| match error.kind() {
        CreateStreamErrorKind::JetStream(error) => refusal(format!("the stream {}", stream.name), &error),
        _ => EnsureError::Transient(error.to_string()),
    })?;
    for config in consumers {
        let what = format!("the consumer {}", config.durable_name.as_deref().unwrap_or_default());
        jetstream.create_consumer_on_stream(config.clone(), &stream.name).await.map_err(|error| {
            match error.kind() {
                ConsumerErrorKind::JetStream(error) => refusal(what, &error),
                _ => EnsureError::Transient(error.to_string()),
            }
        })?;
    }
    Ok(())
}

/// Tells a refusal from a server that is not ready yet.
fn refusal(what: String, error: &async_nats::jetstream::Error) -> EnsureError {
    match error.error_code() {
        ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => {
            EnsureError::Permanent(TopologyError::NoJetStream)
        }
        code if SUPERSEDED.contains(&code) => EnsureError::Transient(format!("{what}: {error}")),
        // It blames itself for a change that it does not allow.
        ErrorCode::STREAM_INVALID_CONFIG => {
            EnsureError::Permanent(TopologyError::Refused { what, reason: error.to_string() })
        }
        // 5xx: it is starting, without a leader, or short of something for now.
        _ if error.code() >= SERVER_ERROR => EnsureError::Transient(format!("{what}: {error}")),
        _ => EnsureError::Permanent(TopologyError::Refused { what, reason: error.to_string() }),
    }
}

/// Major and minor version.
fn version_of(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.trim_start_matches('v').split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
#[path = "topology_tests.rs"]
mod tests;
