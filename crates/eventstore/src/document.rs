//! An event as JSON, for people and programs that look into the store.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;
use ytcaption_domain::mask_urls;

use crate::{Corruption, RecordedEvent};

/// A recorded event as JSON: all that is known of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventDocument {
    /// Its position in the feed of this store; means nothing elsewhere.
    #[schema(example = "742-1205")]
    pub cursor: String,
    /// When it was stored, by the clock of the database.
    pub recorded_at: DateTime<Utc>,
    /// `job` or `delivery`.
    #[schema(example = "job")]
    pub aggregate_type: String,
    /// The job, or the delivery to its webhook.
    pub aggregate_id: String,
    /// Its number among the events of that job or delivery, from 1.
    #[schema(example = 2)]
    pub sequence: u64,
    /// Its name.
    #[schema(example = "DownloadStarted")]
    pub event_type: String,
    /// Version of the payload's shape.
    #[schema(example = "1")]
    pub event_version: String,
    /// What happened; its members depend on `event_type`.
    pub payload: Value,
    /// Who, when and why: event id, actor, account, correlation, causation, trace.
    #[schema(value_type = BTreeMap<String, String>)]
    pub metadata: Value,
    /// True if personal content of the event was erased: a text then reads `about:erased`, a list is empty. Absent
    /// otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub erased: bool,
    /// Why the event cannot be read: its metadata are then shown as they are stored, or its content is encrypted. Absent
    /// otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrupt: Option<String>,
}

impl RecordedEvent {
    /// The same event; of the URLs in its payload, what may give access is shown as `…`.
    #[must_use]
    pub fn with_masked_urls(&self) -> Self {
        let mut masked = self.clone();
        mask_urls(&mut masked.payload);
        masked
    }
}

impl From<&RecordedEvent> for EventDocument {
    fn from(event: &RecordedEvent) -> Self {
        let (metadata, corrupt) = match &event.corrupt {
            None => (event.metadata.to_json(), None),
            Some(corruption @ Corruption::Metadata { stored, .. }) => (stored.clone(), Some(corruption.to_string())),
            Some(corruption @ Corruption::Content(_)) => (event.metadata.to_json(), Some(corruption.to_string())),
        };
        Self {
            cursor: event.cursor.to_string(),
            recorded_at: event.recorded_at,
            aggregate_type: event.aggregate_type.clone(),
            aggregate_id: event.aggregate_id.clone(),
            sequence: event.sequence,
            event_type: event.event_type.clone(),
            event_version: event.event_version.clone(),
            payload: event.payload.clone(),
            metadata,
            erased: event.erased,
            corrupt,
        }
    }
}

impl Serialize for RecordedEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        EventDocument::from(self).serialize(serializer)
    }
}
