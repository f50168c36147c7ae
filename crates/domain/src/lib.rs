//! The pure part of YTCaption: aggregates and their events, the steps of a job, captions.
//!
//! No I/O, no clock, no randomness: the same command on the same events always decides the same next events.

// The derived code names this crate as others do.
extern crate self as ytcaption_domain;

pub mod captions;
pub mod delivery;
pub mod event;
pub mod job;
pub mod language;
pub mod network;
pub mod personal;
pub mod schema;
pub mod step;
pub mod text;
pub mod upcast;

mod identity;
mod metadata;
mod shown_url;
mod span;

pub use identity::{AccountId, Actor, JobId};
pub use metadata::{CommandContext, EventMetadata, MetadataError, Routed};
pub use shown_url::{mask_urls, shown_media_url, shown_webhook_url};
pub use span::Span;
pub use uuid::Uuid;
