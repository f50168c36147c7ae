//! The hash chain and the fingerprints of events; [`super`] says what exactly is hashed.

use aws_lc_rs::digest::{SHA256, digest};

use crate::ExportedEvent;

/// Bytes of SHA-256.
const HASH_BYTES: usize = 32;
/// Bytes of the fingerprint of one part of an event.
pub(super) const PART_BYTES: usize = 8;
/// Bytes of the fingerprints of one event.
pub(super) const FINGERPRINT_BYTES: usize = 4 * PART_BYTES;

/// A SHA-256.
pub type Hash = [u8; HASH_BYTES];
/// The fingerprints of one event.
pub(super) type Fingerprint = [u8; FINGERPRINT_BYTES];

/// The chain up to some event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chain {
    /// How many events it has.
    pub events: u64,
    /// Its hash; zero bytes before the first event.
    pub hash: Hash,
}

impl Chain {
    /// Adds the next event.
    pub fn add(&mut self, event: Hash) {
        self.events += 1;
        self.hash = sha256(&[self.hash, event].concat());
    }
}

/// What of an event goes into a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    /// The hash of its canonical form.
    pub(crate) hash: Hash,
    pub(super) fingerprint: Fingerprint,
}

impl Link {
    /// The link of an event.
    ///
    /// # Errors
    /// None that Postgres' own JSON could cause.
    pub(crate) fn from_event(event: &ExportedEvent) -> Result<Self, serde_json::Error> {
        let identity = identity(&event.aggregate_type, &event.aggregate_id, event.sequence)?;
        let kind = serde_json::to_vec(&(&event.event_type, &event.event_version, &event.recorded_at))?;
        let mut fingerprint = [0; FINGERPRINT_BYTES];
        let parts =
            [identity, part(&kind), part(event.payload.get().as_bytes()), part(event.metadata.get().as_bytes())];
        for (place, part) in fingerprint.chunks_exact_mut(PART_BYTES).zip(parts) {
            place.copy_from_slice(&part);
        }
        Ok(Self { hash: sha256(event.to_line()?.as_bytes()), fingerprint })
    }
}

/// The fingerprint of an event's identity.
pub(super) fn identity(
    aggregate_type: &str,
    aggregate_id: &str,
    sequence: u64,
) -> Result<[u8; PART_BYTES], serde_json::Error> {
    Ok(part(&serde_json::to_vec(&(aggregate_type, aggregate_id, sequence))?))
}

fn part(bytes: &[u8]) -> [u8; PART_BYTES] {
    let mut fingerprint = [0; PART_BYTES];
    fingerprint.copy_from_slice(&sha256(bytes)[..PART_BYTES]);
    fingerprint
}

pub(super) fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = [0; HASH_BYTES];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}
