//! A place in the list of parked events.

use std::fmt;
use std::str::FromStr;

use ytcaption_eventstore::Cursor;

use crate::ParkedEvent;

/// Events that are to blame stand before those that wait, each in the order of the feed; the default lies before all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ParkedCursor {
    pub(crate) waits: bool,
    pub(crate) place: Cursor,
}

/// A text that is no cursor.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no cursor of parked events; use the one that the previous page gave")]
pub struct ParkedCursorError(String);

/// How the cursor of an event begins that is to blame, and of one that waits.
const KINDS: [(&str, bool); 2] = [("fault-", false), ("waits-", true)];

impl ParkedCursor {
    /// The place of an event: the next page begins after it.
    pub fn of(event: &ParkedEvent) -> Self {
        Self { waits: event.waits, place: event.cursor }
    }
}

impl fmt::Display for ParkedCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, _) = KINDS[usize::from(self.waits)];
        write!(f, "{kind}{}", self.place)
    }
}

impl FromStr for ParkedCursor {
    type Err = ParkedCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        KINDS
            .into_iter()
            .find_map(|(kind, waits)| Some(Self { waits, place: text.strip_prefix(kind)?.parse().ok()? }))
            .ok_or_else(|| ParkedCursorError(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is_one() {
        for waits in [false, true] {
            let cursor = ParkedCursor { waits, place: Cursor { transaction_id: 742, position: 1205 } };
            assert_eq!(cursor.to_string().parse::<ParkedCursor>().expect("its own text"), cursor);
        }
        for other in ["", "742-1205", "fault-", "fault-742", "late-742-1205", "waits-742-x"] {
            assert!(other.parse::<ParkedCursor>().is_err(), "{other:?}");
        }
    }
}
