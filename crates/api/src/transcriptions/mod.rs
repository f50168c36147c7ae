//! `/api/v1/transcriptions`: submitting, watching and fetching.

pub(crate) mod cancel;
pub(crate) mod captions;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod retry;
pub(crate) mod show;
pub(crate) mod stream;
pub(crate) mod submit;

mod accept;
mod body;
mod cue_style;
mod upload;
mod view;

/// Path of the collection of jobs.
pub(crate) const COLLECTION: &str = "/api/v1/transcriptions";
