//! The metadata of an event: its id, time, account, actor, cause, trace and data key.
//!
//! Stored as a flat JSON object of strings, which is how cqrs-es represents metadata.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::{AccountId, Actor};

const EVENT_ID: &str = "event_id";
const OCCURRED_AT: &str = "occurred_at";
const ACCOUNT: &str = "account";
const ACTOR: &str = "actor";
const CORRELATION_ID: &str = "correlation_id";
const CAUSATION_ID: &str = "causation_id";
const TRACEPARENT: &str = "traceparent";
const ROUTE: &str = "route";
const DATA_KEY: &str = "data_key";

/// An aggregate whose events are routed to consumers by a token in their subject.
pub trait Routed {
    /// The token, one NATS subject word: a job's priority, for example.
    fn route(&self) -> &'static str;
}

/// The context of a command: for whom, by whom and why it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandContext {
    /// The account the command acts for.
    pub account: AccountId,
    /// Who gave the command.
    pub actor: Actor,
    /// Shared by everything that follows from one request.
    pub correlation_id: Uuid,
    /// The event that led to the command, if one did.
    pub causation_id: Option<Uuid>,
    /// W3C trace context of the span that gave the command.
    pub traceparent: Option<String>,
}

/// The metadata of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventMetadata {
    /// Identifies the event everywhere: store, JetStream (`Nats-Msg-Id`), webhooks.
    pub event_id: Uuid,
    /// When the command was decided, by the clock of the deciding process.
    pub occurred_at: DateTime<Utc>,
    /// Routing token of the aggregate, see [`Routed`].
    pub route: String,
    /// Id of the data key that encrypts the event's personal parts, see [`crate::personal`]; `None` if it is the id of the
    /// event's aggregate. The events of a delivery name the key of its job.
    pub data_key: Option<Uuid>,
    /// The context of the command that produced the event.
    pub context: CommandContext,
}

/// Replaces a text that cannot be read.
const UNREADABLE: &str = "unreadable";

/// Stored metadata that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event metadata: `{key}` is missing or malformed")]
pub struct MetadataError {
    /// The key that is missing or malformed.
    pub key: &'static str,
}

impl EventMetadata {
    /// The flat form that is stored: a JSON object of strings, in the order of their names.
    pub fn to_json(&self) -> Value {
        let context = &self.context;
        let texts = [
            (ACCOUNT, Some(context.account.to_string())),
            (ACTOR, Some(context.actor.to_string())),
            (CAUSATION_ID, context.causation_id.map(|id| id.to_string())),
            (CORRELATION_ID, Some(context.correlation_id.to_string())),
            (DATA_KEY, self.data_key.map(|id| id.to_string())),
            (EVENT_ID, Some(self.event_id.to_string())),
            (OCCURRED_AT, Some(self.occurred_at.to_rfc3339_opts(SecondsFormat::Micros, true))),
            (ROUTE, Some(self.route.clone())),
            (TRACEPARENT, context.traceparent.clone()),
        ];
        texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), Value::from(text?)))).collect()
    }

    /// Reads the stored form back.
    ///
    /// # Errors
    /// A key that every event must carry is missing or malformed.
    pub fn from_map(map: &HashMap<String, String>) -> Result<Self, MetadataError> {
        let text = |key: &'static str| map.get(key).ok_or(MetadataError { key });
        let uuid = |key: &'static str| text(key)?.parse::<Uuid>().map_err(|_| MetadataError { key });
        Ok(Self {
            event_id: uuid(EVENT_ID)?,
            occurred_at: text(OCCURRED_AT)?.parse().map_err(|_| MetadataError { key: OCCURRED_AT })?,
            route: text(ROUTE)?.clone(),
            data_key: map.contains_key(DATA_KEY).then(|| uuid(DATA_KEY)).transpose()?,
            context: CommandContext {
                account: AccountId(text(ACCOUNT)?.clone()),
                actor: text(ACTOR)?.parse().map_err(|_| MetadataError { key: ACTOR })?,
                correlation_id: uuid(CORRELATION_ID)?,
                causation_id: map.contains_key(CAUSATION_ID).then(|| uuid(CAUSATION_ID)).transpose()?,
                traceparent: map.get(TRACEPARENT).cloned(),
            },
        })
    }
}

impl EventMetadata {
    /// What can be read of corrupt metadata, for diagnosis: an unreadable id is nil, an unreadable text `unreadable`, and an
    /// unreadable time that of the record.
    pub fn from_json_lossy(stored: &Value, recorded_at: DateTime<Utc>) -> Self {
        let text = |key: &str| stored.get(key).and_then(Value::as_str);
        let lossy_text = |key: &str| text(key).unwrap_or(UNREADABLE).to_owned();
        let id = |key: &str| text(key).and_then(|text| text.parse::<Uuid>().ok());
        let actor = text(ACTOR).and_then(|text| text.parse().ok());
        Self {
            event_id: id(EVENT_ID).unwrap_or_default(),
            occurred_at: text(OCCURRED_AT).and_then(|text| text.parse().ok()).unwrap_or(recorded_at),
            route: lossy_text(ROUTE),
            data_key: id(DATA_KEY),
            context: CommandContext {
                account: AccountId(lossy_text(ACCOUNT)),
                actor: actor.unwrap_or_else(|| Actor::Other { kind: UNREADABLE.to_owned(), id: lossy_text(ACTOR) }),
                correlation_id: id(CORRELATION_ID).unwrap_or_default(),
                causation_id: id(CAUSATION_ID),
                traceparent: text(TRACEPARENT).map(str::to_owned),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metadata_survives_the_store() {
        let metadata = EventMetadata {
            event_id: Uuid::from_u128(1),
            occurred_at: "2026-01-02T03:04:05.000006Z".parse().expect("a valid time"),
            route: "normal".into(),
            data_key: Some(Uuid::from_u128(4)),
            context: CommandContext {
                account: AccountId::local(),
                actor: Actor::Worker("download@host:1".into()),
                correlation_id: Uuid::from_u128(2),
                causation_id: Some(Uuid::from_u128(3)),
                traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            },
        };
        let stored = serde_json::from_value(metadata.to_json()).expect("an object of strings");
        let read = EventMetadata::from_map(&stored).expect("what was written can be read");
        assert_eq!(read, metadata);
    }

    #[test]
    fn an_actor_of_a_later_kind_keeps_its_name() {
        let actor: Actor = "system:sealer".parse().expect("an actor");
        assert_eq!(actor, Actor::Other { kind: "system".into(), id: "sealer".into() });
        assert_eq!(actor.to_string(), "system:sealer");
        assert!("anonymous".parse::<Actor>().is_err());
    }

    #[test]
    fn the_readable_part_of_corrupt_metadata_is_kept() {
        let at = "2026-01-02T03:04:05Z".parse().expect("a valid time");
        let read = EventMetadata::from_json_lossy(&json!({ "event_id": 7, "actor": "client:ana", "route": "low" }), at);
        assert_eq!((read.event_id, read.occurred_at, read.route.as_str()), (Uuid::nil(), at, "low"));
        assert_eq!(read.context.actor, Actor::Client("ana".into()));
        assert_eq!(read.context.account.to_string(), "unreadable");
        assert_eq!(EventMetadata::from_json_lossy(&json!([]), at).context.actor.to_string(), "unreadable:unreadable");
    }

    #[test]
    fn a_missing_key_is_named() {
        let error = EventMetadata::from_map(&HashMap::new()).expect_err("an empty map is not metadata");
        assert_eq!(error.key, EVENT_ID);
    }
}
