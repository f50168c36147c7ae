//! The JetStream stream and its durable consumers, created or brought up to date at start.
//!
//! The consumers follow from the step table ([`ytcaption_domain::step`]): one for each queue of each step. The files in
//! `nats/consumers` show them; a test keeps the two equal.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy, pull};
use async_nats::jetstream::context::{Context, ContextBuilder, CreateStreamErrorKind};
use async_nats::jetstream::stream::ConsumerErrorKind;
use async_nats::jetstream::{ErrorCode, stream};
use backon::{ConstantBuilder, Retryable as _};
use serde_json::{Map, Value};
use ytcaption_domain::step::{Step, StepQueue};

use crate::cloud_event::SUBJECT_PREFIX;
use crate::nats;

/// Oldest nats-server that has what the topology needs: several filters for each consumer, and metadata.
const OLDEST_SERVER: (u64, u64) = (2, 10);
/// Delay between attempts to reach a server that does not answer.
const RETRY_DELAY: Duration = Duration::from_millis(500);
/// The number of attempts for which the log has one line.
const ATTEMPTS_PER_LINE: u32 = 10;
/// Longest wait for a response of JetStream.
const API_TIMEOUT: Duration = Duration::from_secs(5);
/// A message that is not acknowledged within this time, nor reported to be in progress, is delivered again.
const ACK_WAIT: Duration = Duration::from_secs(15);

/// Codes of JetStream from here on are errors of the server (as with HTTP).
const SERVER_ERROR: usize = 500;
/// Another process, perhaps of another version, has just created or deleted the same. The next attempt sees the result.
const SUPERSEDED: [ErrorCode; 5] = [
    ErrorCode::STREAM_NAME_EXIST,
    ErrorCode::STREAM_NOT_FOUND,
    ErrorCode::CONSUMER_NAME_EXIST,
    ErrorCode::CONSUMER_ALREADY_EXISTS,
    ErrorCode::CONSUMER_NOT_FOUND,
];

pub(crate) const STREAM: &str = include_str!("../../../nats/stream.json");

/// NATS answers and cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// The server is too old.
    #[error("nats-server {version} is too old: 2.10 or newer is needed; install one, or set NATS_URL to one")]
    OldServer {
        /// The version that it reports.
        version: String,
    },
    /// The server runs without JetStream.
    #[error("JetStream is not enabled on the nats-server: start it with -js, or with nats/nats-server.conf")]
    NoJetStream,
    /// JetStream refuses the stream or a consumer.
    #[error("JetStream refuses {what}: {reason}")]
    Refused {
        /// The stream or the consumer, by name.
        what: String,
        /// The server's own message.
        reason: String,
    },
}

/// The stream's configuration, `nats/stream.json`.
///
/// # Panics
/// Never: the file is part of the program, and a test reads it.
pub fn stream_config() -> stream::Config {
    serde_json::from_str(STREAM).expect("nats/stream.json is checked by a test")
}

/// The configurations of the durable consumers of these steps: one for each queue, in the order of the table.
pub fn consumer_configs(steps: &[Step]) -> Vec<pull::Config> {
    let of_step = |step: &Step| step.queues().into_iter().map(|queue| consumer_config(step, queue)).collect::<Vec<_>>();
    steps.iter().flat_map(of_step).collect()
}

fn consumer_config(step: &Step, queue: StepQueue) -> pull::Config {
    let (route, of_priority) = match queue.priority {
        Some(priority) => (priority.to_string(), format!(", priority {priority}")),
        None => ("*".to_owned(), String::new()),
    };
    let filter = |event| subject(event, &route);
    pull::Config {
        durable_name: Some(queue.consumer),
        description: Some(format!("Step {}: {}{of_priority}.", step.name, step.description)),
        filter_subjects: step.triggers.iter().map(filter).collect(),
        deliver_policy: DeliverPolicy::All,
        replay_policy: ReplayPolicy::Instant,
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: -1,
        max_ack_pending: step.max_ack_pending,
        ..pull::Config::default()
    }
}

/// The subjects of the messages that a step waits for, with wildcards.
pub(crate) fn subjects_of(step: &Step) -> Vec<String> {
    step.triggers.iter().map(|event| subject(event, "*")).collect()
}

fn subject(event: &ytcaption_domain::event::EventType, route: &str) -> String {
    format!("{SUBJECT_PREFIX}.{}.{}.{route}.*", event.aggregate, event.name)
}

/// A consumer's configuration as the NATS API takes it, with the members that [`consumer_configs`] sets, sorted.
pub(crate) fn consumer_json(config: &pull::Config) -> Value {
    const MEMBERS: [&str; 9] = [
        "ack_policy",
        "ack_wait",
        "deliver_policy",
        "description",
        "durable_name",
        "filter_subjects",
        "max_ack_pending",
        "max_deliver",
        "replay_policy",
    ];
    let all = serde_json::to_value(config).unwrap_or_default();
    MEMBERS.iter().map(|name| ((*name).to_owned(), all[name].clone())).collect::<Map<_, _>>().into()
}

/// Names of those of the `steps` whose workers receive what is published under a subject.
pub fn steps_of(steps: &[Step], subject: &str) -> Vec<&'static str> {
    let receives = |step: &&Step| subjects_of(step).iter().any(|filter| matches(filter, subject));
    steps.iter().filter(receives).map(|step| step.name).collect()
}

/// Whether a subject matches a filter, in which `*` matches one token and a last `>` all that follow.
fn matches(filter: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for part in filter.split('.') {
        match (part, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (part, Some(token)) if part == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

/// JetStream over a connection, with time limits for every response.
pub(crate) fn jetstream(client: &Client) -> Context {
    ContextBuilder::new().timeout(API_TIMEOUT).ack_timeout(API_TIMEOUT).build(client.clone())
}

/// Creates the stream and the consumers of `steps`, or brings them up to date. Waits without end for a server that does
/// not answer, and reports that in the log.
///
/// # Errors
/// The server is too old, has no JetStream, or refuses.
pub async fn ensure(client: &Client, steps: &[Step]) -> Result<(), TopologyError> {
    ensure_as(client, &stream_config(), &consumer_configs(steps)).await
}

async fn ensure_as(client: &Client, stream: &stream::Config, consumers: &[pull::Config]) -> Result<(), TopologyError> {
    let mut attempts = 0;
    let ensured = (|| attempt(client, stream, consumers))
        .retry(ConstantBuilder::default().with_delay(RETRY_DELAY).without_max_times())
        .when(|error| matches!(error, EnsureError::Transient(_)))
        .notify(|error, _| {
            if attempts % ATTEMPTS_PER_LINE == 0 {
                tracing::warn!(%error, "waiting for NATS JetStream");
            }
            attempts += 1;
        })
        .await;
    match ensured {
        Ok(()) => Ok(()),
        Err(EnsureError::Permanent(error)) => Err(error),
        // Retried without end.
        Err(EnsureError::Transient(reason)) => Err(TopologyError::Refused { what: "the topology".to_owned(), reason }),
    }
}

#[derive(Debug, thiserror::Error)]
enum EnsureError {
    #[error("{0}")]
    Transient(String),
    #[error(transparent)]
    Permanent(TopologyError),
}

async fn attempt(client: &Client, stream: &stream::Config, consumers: &[pull::Config]) -> Result<(), EnsureError> {
    if !nats::is_connected(client) {
        return Err(EnsureError::Transient("the server does not answer".to_owned()));
    }
    let server = client.server_info();
    if version_from(&server.version).is_none_or(|version| version < OLDEST_SERVER) {
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

/// Distinguishes a refusal from a server that is not ready yet.
fn refusal(what: String, error: &async_nats::jetstream::Error) -> EnsureError {
    match error.error_code() {
        ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => {
            EnsureError::Permanent(TopologyError::NoJetStream)
        }
        code if SUPERSEDED.contains(&code) => EnsureError::Transient(format!("{what}: {error}")),
        // Also a code of the server, although a change that it does not allow will never succeed.
        ErrorCode::STREAM_INVALID_CONFIG => {
            EnsureError::Permanent(TopologyError::Refused { what, reason: error.to_string() })
        }
        // 5xx: it is starting, without a leader, or short of something for now.
        _ if error.code() >= SERVER_ERROR => EnsureError::Transient(format!("{what}: {error}")),
        _ => EnsureError::Permanent(TopologyError::Refused { what, reason: error.to_string() }),
    }
}

/// Major and minor version.
fn version_from(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.trim_start_matches('v').split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
#[path = "topology_tests.rs"]
mod tests;
