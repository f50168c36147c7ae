//! Where a page of the list of parked events begins.

use std::fmt;
use std::str::FromStr;

use ytcaption_eventstore::Cursor;

use crate::ParkedEvent;

/// A parked event in the order of their list: events with an error of their own come before blocked ones, each in the
/// order of the feed. The default is before all. Opaque to clients.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParkedCursor {
    pub(crate) blocked: bool,
    pub(crate) cursor: Cursor,
    pub(crate) projection: String,
}

/// A text that is not a cursor.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a cursor of parked events; use the one that the previous page gave")]
pub struct ParkedCursorError(String);

/// How the cursor of an event begins that has an error of its own, and of one that is blocked.
const PREFIXES: [(&str, bool); 2] = [("error-", false), ("blocked-", true)];

impl ParkedCursor {
    /// The cursor of the page that begins after this event.
    pub fn after(event: &ParkedEvent) -> Self {
        Self { blocked: event.blocked, cursor: event.cursor, projection: event.projection.clone() }
    }
}

impl fmt::Display for ParkedCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, _) = PREFIXES[usize::from(self.blocked)];
        write!(f, "{prefix}{}-{}", self.cursor, self.projection)
    }
}

impl FromStr for ParkedCursor {
    type Err = ParkedCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = |(prefix, blocked): (&str, bool)| {
            let (cursor, projection) = text.strip_prefix(prefix)?.rsplit_once('-')?;
            Some(Self { blocked, cursor: cursor.parse().ok()?, projection: projection.to_owned() })
        };
        PREFIXES.into_iter().find_map(parse).ok_or_else(|| ParkedCursorError(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_parsed_as_it_was_written_and_nothing_else_is_one() {
        for blocked in [false, true] {
            let cursor = Cursor { transaction_id: 742, position: 1205 };
            let cursor = ParkedCursor { blocked, cursor, projection: "jobs".into() };
            assert_eq!(cursor.to_string().parse::<ParkedCursor>().expect("its own text"), cursor);
        }
        for other in ["", "742-1205", "error-", "error-742", "late-742-1205-jobs", "blocked-742-x-jobs"] {
            assert!(other.parse::<ParkedCursor>().is_err(), "{other:?}");
        }
    }
}
