//! Time and identity, injected so that tests can fix them.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Returns the current time. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Clock(fn() -> DateTime<Utc>);

impl Clock {
    /// The clock of this machine.
    #[expect(clippy::disallowed_methods, reason = "the one place where the clock enters")]
    pub const fn system() -> Self {
        Self(Utc::now)
    }

    /// A clock that calls `now`, for tests.
    pub const fn new(now: fn() -> DateTime<Utc>) -> Self {
        Self(now)
    }

    /// The time now.
    pub fn now(self) -> DateTime<Utc> {
        (self.0)()
    }
}

/// Makes ids. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct IdGenerator(fn() -> Uuid);

impl IdGenerator {
    /// Random ids that sort by the time they were made (UUID version 7).
    #[expect(clippy::disallowed_methods, reason = "the one place where random ids enter")]
    pub const fn system() -> Self {
        Self(Uuid::now_v7)
    }

    /// A generator that calls `new_id`, for tests.
    pub const fn new(new_id: fn() -> Uuid) -> Self {
        Self(new_id)
    }

    /// A new id.
    pub fn new_id(self) -> Uuid {
        (self.0)()
    }
}
