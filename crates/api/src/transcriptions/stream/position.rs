//! How far a client has been told, as it stands in `id:` and comes back as `Last-Event-ID`.

use std::fmt;
use std::str::FromStr;

/// A place in a job's stream, `<version>.<chunks>`. What is sent is told in two orders, that of the job's events and
/// that of the text, so a place has a coordinate in each: whoever has the place has everything before it, once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// The job's version after the last event told of.
    pub(super) version: u64,
    /// Chunks whose text was sent, counted from the start of the recording without a gap.
    pub(super) chunks: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.version, self.chunks)
    }
}

/// A text that is no place in a stream.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no id of this stream; send back the `id` of the last event received, or leave the header out")]
pub(super) struct NoPosition(pub(super) String);

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Digits only: a sign would be read as a number too.
        let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.to_owned());
        text.split_once('.')
            .and_then(|(version, chunks)| {
                Some(Self { version: number(version)?.parse().ok()?, chunks: number(chunks)?.parse().ok()? })
            })
            .ok_or_else(|| NoPosition(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::Position;

    #[test]
    fn a_place_is_read_as_it_was_written_and_nothing_else_is_a_place() {
        let place = Position { version: 41, chunks: 3 };
        assert_eq!(place.to_string().parse::<Position>().expect("its own text"), place);
        for other in ["", ".", "1", "1.", ".1", "+1.0", "1.-2", "1.2.3", "a.b", "1.99999999999", " 1.2", "1٫2"] {
            assert!(other.parse::<Position>().is_err(), "{other:?}");
        }
    }
}
