//! What every event carries beside its payload: who, when, why, and the trace it belongs to.
//!
//! Stored as a flat JSON object of strings, the form cqrs-es keeps metadata in.

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

/// An aggregate whose events are routed to consumers by a token in their subject.
pub trait Routed {
    /// The token, one NATS subject word: a job's priority, for example.
    fn route(&self) -> &'static str;
}

/// The circumstances of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandContext {
    /// The account the command acts for.
    pub account: AccountId,
    /// Who gave the command.
    pub actor: Actor,
    /// Ties together everything that follows from one request.
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
    /// The circumstances of the command that produced the event.
    pub context: CommandContext,
}

/// Stands for a text that cannot be read.
const UNREADABLE: &str = "unreadable";

/// Stored metadata that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event metadata: `{key}` is missing or malformed")]
pub struct MetadataError {
    /// The key at fault.
    pub key: &'static str,
}

impl EventMetadata {
    /// The flat form that is stored.
    pub fn to_map(&self) -> HashMap<String, String> {
        let context = &self.context;
        let mut map = HashMap::from([
            (EVENT_ID.to_owned(), self.event_id.to_string()),
            (OCCURRED_AT.to_owned(), self.occurred_at.to_rfc3339_opts(SecondsFormat::Micros, true)),
            (ROUTE.to_owned(), self.route.clone()),
            (ACCOUNT.to_owned(), context.account.to_string()),
            (ACTOR.to_owned(), context.actor.to_string()),
            (CORRELATION_ID.to_owned(), context.correlation_id.to_string()),
        ]);
        if let Some(id) = context.causation_id {
            map.insert(CAUSATION_ID.to_owned(), id.to_string());
        }
        if let Some(traceparent) = &context.traceparent {
            map.insert(TRACEPARENT.to_owned(), traceparent.clone());
        }
        map
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
    /// What can be read of damaged metadata, for people who look into it: ids that cannot are nil, texts `unreadable`,
    /// and the time is that of the record.
    pub fn salvaged(stored: &Value, recorded_at: DateTime<Utc>) -> Self {
        let text = |key: &str| stored.get(key).and_then(Value::as_str);
        let word = |key: &str| text(key).unwrap_or(UNREADABLE).to_owned();
        let id = |key: &str| text(key).and_then(|text| text.parse::<Uuid>().ok());
        let actor = text(ACTOR).and_then(|text| text.parse().ok());
        Self {
            event_id: id(EVENT_ID).unwrap_or_default(),
            occurred_at: text(OCCURRED_AT).and_then(|text| text.parse().ok()).unwrap_or(recorded_at),
            route: word(ROUTE),
            context: CommandContext {
                account: AccountId(word(ACCOUNT)),
                actor: actor.unwrap_or_else(|| Actor::Other { kind: UNREADABLE.to_owned(), id: word(ACTOR) }),
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
            context: CommandContext {
                account: AccountId::default(),
                actor: Actor::Worker("download@host:1".into()),
                correlation_id: Uuid::from_u128(2),
                causation_id: Some(Uuid::from_u128(3)),
                traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            },
        };
        let read = EventMetadata::from_map(&metadata.to_map()).expect("what was written can be read");
        assert_eq!(read, metadata);
    }

    #[test]
    fn an_actor_of_a_later_kind_keeps_its_name() {
        let actor: Actor = "system:sealer".parse().expect("an actor");
        assert_eq!(actor, Actor::Other { kind: "system".into(), id: "sealer".into() });
        assert_eq!(actor.to_string(), "system:sealer");
        assert!("nobody".parse::<Actor>().is_err());
    }

    #[test]
    fn of_damaged_metadata_the_rest_is_shown() {
        let at = "2026-01-02T03:04:05Z".parse().expect("a valid time");
        let read = EventMetadata::salvaged(&json!({ "event_id": 7, "actor": "client:ana", "route": "low" }), at);
        assert_eq!((read.event_id, read.occurred_at, read.route.as_str()), (Uuid::nil(), at, "low"));
        assert_eq!(read.context.actor, Actor::Client("ana".into()));
        assert_eq!(read.context.account.to_string(), "unreadable");
        assert_eq!(EventMetadata::salvaged(&json!([]), at).context.actor.to_string(), "unreadable:unreadable");
    }

    #[test]
    fn a_missing_key_is_named() {
        let error = EventMetadata::from_map(&HashMap::new()).expect_err("an empty map is no metadata");
        assert_eq!(error.key, EVENT_ID);
    }
}
