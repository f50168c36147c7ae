//! What is known of an event beside its content: its aggregate, name, version and personal parts.
//!
//! All of it follows from the event's declaration, by [`derive@EventFamily`]; nothing lists events a second time.

pub use cqrs_es::DomainEvent;
use uuid::Uuid;
pub use ytcaption_event_derive::EventFamily;

use crate::personal::PersonalPart;
use crate::upcast::Upcaster;

/// One type of event, in the version that is written today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventType {
    /// Type of the aggregate it belongs to, for example `job`.
    pub aggregate: &'static str,
    /// Its name, as stored and in subjects.
    pub name: &'static str,
    /// Version of its payload's shape, from 1.
    pub version: u32,
    /// What of its payload is personal and stored encrypted.
    pub personal: &'static [PersonalPart],
}

/// The events of one aggregate, through all versions.
pub trait EventFamily: DomainEvent {
    /// Every event that is written today, in the order of their declaration.
    const TYPES: &'static [EventType];
    /// How events of earlier versions are read, one step each.
    const UPCASTERS: &'static [Upcaster];

    /// Id of the data key that this event's personal parts are encrypted with: that of the job it speaks of.
    fn data_key_id(&self, aggregate_id: Uuid) -> Uuid {
        aggregate_id
    }
}
