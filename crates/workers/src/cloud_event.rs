//! The form in which an event is published: CloudEvents 1.0, JSON format
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>).

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use ytcaption_domain::AccountId;
use ytcaption_domain::event::EventFamily;
use ytcaption_domain::upcast::{self, PayloadError};
use ytcaption_eventstore::RecordedEvent;

/// The first tokens of the subject of every event.
pub const SUBJECT_PREFIX: &str = "ytcaption.events";

/// Header of a message whose event was published before: metrics must not count it again.
pub const REPUBLISHED: &str = "Ytcaption-Republished";

/// The first part of [`CloudEvent::kind`].
const TYPE_PREFIX: &str = "ytcaption";

/// Digits of [`CloudEvent::sequence`]: that extension orders events by comparing text.
const SEQUENCE_DIGITS: usize = 10;

/// One published event.
///
/// Attribute names are those of the specification, which allows only lower-case letters and digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CloudEvent {
    /// Always `1.0`.
    pub specversion: String,
    /// The event's id.
    pub id: Uuid,
    /// What published it: always `urn:ytcaption:events`.
    pub source: String,
    /// `ytcaption.<aggregate>.<Event>.v<version>`
    #[serde(rename = "type")]
    pub kind: String,
    /// Id of the aggregate.
    pub subject: String,
    /// When the command was decided.
    pub time: DateTime<Utc>,
    /// Media type of `data`.
    pub datacontenttype: String,
    /// The payload; absent if it is too large for a message, see `dataref`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Names the event in the event store when `data` is too large for a message (extension `dataref`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataref: Option<String>,
    /// The event's sequence within its aggregate, from 1, with leading zeros (extension `sequence`).
    pub sequence: String,
    /// Shared by everything that follows from one request.
    pub correlationid: Uuid,
    /// The event that led to the command, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causationid: Option<Uuid>,
    /// Who gave the command.
    pub actor: String,
    /// The account it belongs to.
    pub account: AccountId,
    /// W3C trace context of the command (extension `traceparent`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl CloudEvent {
    /// A stored event in this form.
    pub fn from_recorded(event: &RecordedEvent) -> Self {
        let context = &event.metadata.context;
        let RecordedEvent { aggregate_type, event_type, event_version, .. } = event;
        Self {
            specversion: "1.0".to_owned(),
            id: event.metadata.event_id,
            source: "urn:ytcaption:events".to_owned(),
            kind: format!("{TYPE_PREFIX}.{aggregate_type}.{event_type}.v{event_version}"),
            subject: event.aggregate_id.clone(),
            time: event.metadata.occurred_at,
            datacontenttype: "application/json".to_owned(),
            data: Some(event.payload.clone()),
            dataref: None,
            sequence: format!("{:0SEQUENCE_DIGITS$}", event.sequence),
            correlationid: context.correlation_id,
            causationid: context.causation_id,
            actor: context.actor.to_string(),
            account: context.account.clone(),
            traceparent: context.traceparent.clone(),
        }
    }

    /// Type of the aggregate, such as `job`; empty if the type of the event does not name one.
    pub fn aggregate_type(&self) -> &str {
        self.kind.split('.').nth(1).unwrap_or_default()
    }

    /// The typed events that it represents, see [`ytcaption_domain::upcast`].
    ///
    /// # Errors
    /// This program cannot read its type, version or shape, or it was published without its data.
    pub fn decode<E: EventFamily>(&self) -> Result<Vec<E>, PayloadError> {
        let (name, version) = self.kind.rsplit_once(".v").unwrap_or((&self.kind, ""));
        let name = name.rsplit_once('.').map_or(name, |(_, name)| name);
        upcast::decode(name, version, self.data.as_ref().unwrap_or(&Value::Null))
    }

    /// The same event with a reference in place of its data.
    #[must_use]
    pub fn without_data(mut self) -> Self {
        self.data = None;
        self.dataref = Some(format!("urn:ytcaption:event:{}", self.id));
        self
    }
}

/// The subject an event is published under: `ytcaption.events.<aggregate>.<Event>.<route>.<id>`.
pub fn subject_of(event: &RecordedEvent) -> String {
    let RecordedEvent { aggregate_type, event_type, aggregate_id, .. } = event;
    format!("{SUBJECT_PREFIX}.{aggregate_type}.{event_type}.{}.{aggregate_id}", event.metadata.route)
}
