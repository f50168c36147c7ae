//! An interval of time in a media file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An interval of time in milliseconds from the start of a media file, such as a chunk or a piece of speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// First millisecond.
    pub start_ms: u64,
    /// One past the last millisecond.
    pub end_ms: u64,
}

impl Span {
    /// Length in milliseconds; 0 if it ends before it starts.
    pub fn length_ms(self) -> u64 {
        self.end_ms.saturating_sub(self.start_ms)
    }

    /// Whether both share at least one millisecond.
    pub fn overlaps(self, other: Self) -> bool {
        self.start_ms < other.end_ms && other.start_ms < self.end_ms
    }
}
