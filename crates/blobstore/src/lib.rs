//! Where audio, uploads and results live: one streaming blob store with two implementations, a
//! private directory ([`LocalDirectory`]) and any S3-compatible service ([`S3`]).
//!
//! What every implementation promises:
//!
//! - a blob is visible whole or not at all: no reader ever sees half of a write;
//! - when a `put_…` returns `Ok`, the blob survives a crash of the machine (directory: file and
//!   directories are synced; S3: the service acknowledged it);
//! - putting the same key again replaces the blob, so a redelivered step may simply repeat itself;
//! - nothing is held in memory beyond a fixed buffer, whatever the blob's size.

mod copy;
mod error;
mod key;
mod local;
mod s3;
mod settings;
mod store;

#[cfg(test)]
mod conformance;

pub use error::BlobError;
pub use key::BlobKey;
pub use local::LocalDirectory;
pub use s3::S3;
pub use settings::{BlobSettings, BlobStoreKind, open};
pub use store::{BlobInfo, BlobReader, BlobStore, StoredBlob};
