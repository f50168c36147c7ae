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

#[cfg(test)]
mod tests {
    use super::*;

    const fn span(start_ms: u64, end_ms: u64) -> Span {
        Span { start_ms, end_ms }
    }

    #[test]
    fn the_length_of_a_span_is_never_negative() {
        assert_eq!(span(200, 1700).length_ms(), 1500);
        assert_eq!(span(1700, 200).length_ms(), 0);
    }

    #[test]
    fn spans_that_only_touch_do_not_overlap() {
        for (a, b, overlap) in [
            (span(0, 10), span(9, 20), true),
            (span(0, 30), span(10, 20), true),
            (span(5, 5), span(0, 10), true),
            (span(0, 10), span(10, 20), false),
            (span(0, 10), span(11, 20), false),
        ] {
            assert_eq!(a.overlaps(b), overlap, "{a:?} {b:?}");
            assert_eq!(b.overlaps(a), overlap, "{b:?} {a:?}");
        }
    }
}
