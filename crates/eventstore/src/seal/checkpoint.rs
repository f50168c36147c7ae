//! The content of a seal: a number of events, the hash of their chain, the time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};

use super::chain::Chain;
use super::key::SealingKey;
use super::note;

/// First line of every checkpoint.
const ORIGIN: &str = "ytcaption/events/v1";
/// Before the time.
const TIME: &str = "sealed_at ";

/// The chain at some time. As a note its text is four lines: the origin, the number of events, the hash in base64, the
/// time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The chain up to the last event that is covered.
    pub chain: Chain,
    /// When it was sealed, in whole seconds.
    pub sealed_at: DateTime<Utc>,
}

impl Checkpoint {
    /// The checkpoint as a signed note.
    pub fn sign(&self, key: &SealingKey) -> String {
        let hash = STANDARD.encode(self.chain.hash);
        let time = self.sealed_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        note::sign(&format!("{ORIGIN}\n{}\n{hash}\n{TIME}{time}\n", self.chain.events), key)
    }

    /// The content of a note, whatever its signature; none if it is not a checkpoint.
    pub fn parse(note: &str) -> Option<Self> {
        let mut lines = note::text(note)?.lines();
        let (origin, events, hash, time) = (lines.next()?, lines.next()?, lines.next()?, lines.next()?);
        let chain = Chain { events: events.parse().ok()?, hash: STANDARD.decode(hash).ok()?.try_into().ok()? };
        let sealed_at = DateTime::parse_from_rfc3339(time.strip_prefix(TIME)?).ok()?.to_utc();
        (origin == ORIGIN && lines.next().is_none()).then_some(Self { chain, sealed_at })
    }
}
