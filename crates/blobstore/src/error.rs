//! What can go wrong with a blob.

use std::io;

use crate::BlobKey;

/// A failed blob operation.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No blob has this key.
    #[error("there is no blob {key}")]
    NotFound {
        /// The requested key.
        key: BlobKey,
    },
    /// The stream went past the limit given to `put_stream`; nothing was stored.
    #[error("the data is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The text is not a [`BlobKey`].
    #[error("{key:?} cannot name a blob: {reason}")]
    InvalidKey {
        /// The text as given.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// What was read is not what was once written.
    #[error("the blob {key} is corrupt: its SHA-256 is {found}, but {recorded} was recorded when it was stored")]
    Corrupt {
        /// The requested key.
        key: BlobKey,
        /// SHA-256 of what was read, lower-case hexadecimal.
        found: String,
        /// SHA-256 recorded when it was put.
        recorded: String,
    },
    /// The store cannot be used now; the hint says what to look at.
    #[error("the blob store cannot be used: {hint}")]
    Unreachable {
        /// What failed and what to do about it.
        hint: String,
    },
    /// The stream handed to `put_stream` broke off; the store itself is fine.
    #[error("the data to store could not be read to its end: {0}")]
    Source(#[source] io::Error),
    /// Any other input or output failure.
    #[error("blob input/output failed: {0}")]
    Io(#[from] io::Error),
}

impl BlobError {
    /// Whether the same call may succeed later with the same request.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Source(_) | Self::Io(_))
    }
}
