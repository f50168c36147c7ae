//! What has happened, when and by whom: for administrators.

pub(crate) mod events;
pub(crate) mod parked;

mod document;

pub(crate) use document::{EntryDocument, EventDocument, ParkedEventDocument, TimelineDocument};
