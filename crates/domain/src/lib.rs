//! The pure heart of YTCaption: aggregates, what follows from their events, and captions.
//!
//! No I/O, no clock, no randomness: a command and the events so far decide the next events, always the same ones.

pub mod captions;
pub mod delivery;
pub mod job;
pub mod language;
pub mod network;
pub mod schema;
pub mod upcast;

mod identity;
mod metadata;

pub use identity::{AccountId, Actor, JobId};
pub use metadata::{CommandContext, EventMetadata, MetadataError, Routed};
