//! An event as JSON, for people and programs that look into the store.

use std::collections::BTreeMap;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::RecordedEvent;

impl Serialize for RecordedEvent {
    /// All that is known of the event, and under `damage` what is wrong with it; `cursor` is its place in this store's feed and means nothing elsewhere.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_struct("Event", 10)?;
        event.serialize_field("cursor", &self.cursor.to_string())?;
        event.serialize_field("recorded_at", &self.recorded_at)?;
        event.serialize_field("aggregate_type", &self.aggregate_type)?;
        event.serialize_field("aggregate_id", &self.aggregate_id)?;
        event.serialize_field("sequence", &self.sequence)?;
        event.serialize_field("event_type", &self.event_type)?;
        event.serialize_field("event_version", &self.event_version)?;
        event.serialize_field("payload", &self.payload)?;
        match &self.damage {
            None => {
                let metadata: BTreeMap<String, String> = self.metadata.to_map().into_iter().collect();
                event.serialize_field("metadata", &metadata)?;
            }
            Some(damage) => {
                event.serialize_field("metadata", &damage.stored)?;
                event.serialize_field("damage", &damage.error.to_string())?;
            }
        }
        event.end()
    }
}
