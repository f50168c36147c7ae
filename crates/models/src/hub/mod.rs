//! Models from a Hugging Face hub, or from a mirror that speaks its protocol.
//!
//! ```text
//!  GET  /api/models/ORG/NAME/revision/REV   the commit and the names of its files
//!  HEAD /ORG/NAME/resolve/COMMIT/FILE       its size and checksum: SHA-256 of a large file, git's SHA-1 of a small one
//!  GET  /ORG/NAME/resolve/COMMIT/FILE       its content, mostly by a redirect to another host; from any byte on
//! ```
//!
//! Written after `huggingface_hub` (`hf_api.model_info`, `file_download.get_hf_file_metadata`, `http_get`). All
//! data from there is taken as hostile: only files of known names are downloaded, none is larger than announced, and
//! none is kept that does not match its checksum. A model's directory does not exist before all of it has arrived.

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

/// URL of the hub itself; a mirror can be used instead.
pub const ENDPOINT: &str = "https://huggingface.co";

#[cfg(test)]
mod tests;
