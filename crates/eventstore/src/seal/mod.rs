//! Evidence of tampering: every event is part of a chain of hashes, and the chain is signed as it grows.
//!
//! ```text
//! events in commit order ─▶ Sealer ─▶ seals: fingerprints of each event + signed note ─▶ Verifier ─▶ findings
//! ```
//!
//! # The chain, to be recomputed by anybody
//!
//! An event's canonical form is its line in an export, in UTF-8, without the line's end: a JSON object without
//! white space between its members, which are, in this order, `aggregate_type`, `aggregate_id`, `sequence`,
//! `event_type`, `event_version`, `recorded_at` (RFC 3339 in UTC, ending in `Z`, with three or six digits of a second
//! or none, as few as are exact), `payload` and `metadata`. The last two are the text of Postgres' `jsonb`, letter for
//! letter; it survives dumps, exports and imports, also where its numbers would not survive a double (which RFC 8785
//! would make of them). With `‖` for concatenation and `h₀` for 32 zero bytes:
//!
//! ```text
//! hₙ = SHA-256(hₙ₋₁ ‖ SHA-256(lineₙ))
//! ```
//!
//! Transaction ids and positions are not part of it: they change when the store moves to another cluster.
//!
//! # A seal
//!
//! A seal says how many events there were and what the hash of their chain was, as a signed note (C2SP `signed-note`,
//! Ed25519). So that a finding can name the event and what of it was changed, it also holds 32 bytes for each event
//! since the seal before, the *fingerprints*: the first eight bytes of SHA-256 of each of
//!
//! 1. identity: `["<aggregate_type>","<aggregate_id>",<sequence>]`
//! 2. type and time: `["<event_type>","<event_version>","<recorded_at>"]`
//! 3. payload: its text
//! 4. metadata: its text

mod chain;
mod checkpoint;
mod compare;
mod finding;
mod key;
mod lag;
pub mod note;
mod sealer;
mod store;
mod verify;
mod verify_file;
mod verify_store;

pub use chain::{Chain, Hash};

pub(crate) use chain::Link;
pub use checkpoint::Checkpoint;
pub use finding::{EventRef, Finding, Part, SealDefect};
pub use key::{KeyError, SealingKey, VerifyingKey};
pub use lag::SealLag;
pub use sealer::{SealError, Sealer};
pub use store::{Seal, newest_seal};
pub use verify::{Report, Verifier};
pub use verify_file::FileVerifier;

pub(crate) use store::seals_after;

#[cfg(test)]
mod export_tests;
#[cfg(test)]
mod seal_tests;
#[cfg(test)]
mod tests;
