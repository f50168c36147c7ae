//! Models from a Hugging Face hub, or from a mirror that speaks its protocol.
//!
//! ```text
//!  GET  /api/models/ORG/NAME/revision/REV   the commit and the names of its files
//!  HEAD /ORG/NAME/resolve/COMMIT/FILE       its size and checksum: SHA-256 of a large file, git's SHA-1 of a small one
//!  GET  /ORG/NAME/resolve/COMMIT/FILE       its content, mostly by a redirect to another host; from any byte on
//! ```
//!
//! Written after `huggingface_hub` (`hf_api.model_info`, `file_download.get_hf_file_metadata`, `http_get`). Whatever
//! comes from there is taken for hostile: only files of known names are fetched, none is larger than announced, and
//! none is kept that does not match its checksum. Nothing stands under a model's name before all of it is there.

mod checksum;
mod client;
mod error;
mod fetch;
mod pull;
mod reference;
mod staging;

pub use client::{Hub, HubSettings};
pub use error::HubError;
pub use pull::{Progress, Pulled, pull};
pub use reference::{ALIASES, Reference, ReferenceError};
pub(crate) use staging::repository_of;

/// The hub itself; a mirror may stand in for it.
pub const ENDPOINT: &str = "https://huggingface.co";

#[cfg(test)]
mod tests;
