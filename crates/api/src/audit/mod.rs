//! What has happened, when and by whom: for administrators.

pub(crate) mod events;

mod document;

pub(crate) use document::{EntryDocument, EventDocument, TimelineDocument};
