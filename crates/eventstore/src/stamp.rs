//! Time and identity, injected so that tests can fix them.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Where the store takes the time and new ids from.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// The time now.
    pub now: fn() -> DateTime<Utc>,
    /// A new id, sorted by time (UUID version 7).
    pub new_id: fn() -> Uuid,
}

impl Stamp {
    /// The system's clock and random source.
    #[expect(clippy::disallowed_methods, reason = "the one place where the clock and the random source enter")]
    pub const fn system() -> Self {
        Self { now: Utc::now, new_id: Uuid::now_v7 }
    }
}
