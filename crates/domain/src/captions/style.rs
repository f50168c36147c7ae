//! How cues are shaped for reading.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// How much text is shown at once, and for how long. The defaults follow the subtitling guidelines of the BBC and of Netflix; the first
/// four names are those of Whisper's own command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CueStyle {
    /// Columns of a line; a full-width character takes two.
    pub max_line_width: u16,
    /// Lines of a cue.
    pub max_line_count: u16,
    /// Words of a line, whatever its width; 1 with one line a cue makes a cue of each word.
    pub max_words_per_line: Option<u16>,
    /// Show in the file when each word is spoken, in formats that can: VTT, ASS and LRC.
    pub highlight_words: bool,
    /// A cue stays at least this long, in milliseconds, if the next one leaves it the time.
    pub min_cue_duration_ms: u32,
    /// A cue of several words stays at most this long, in milliseconds.
    pub max_cue_duration_ms: u32,
    /// Columns that a reader has to read in a second at most, if the speech leaves the time.
    pub max_chars_per_second: u16,
}

impl CueStyle {
    /// Values that [`Self::max_line_width`] may have.
    pub const LINE_WIDTHS: RangeInclusive<u16> = 8..=200;
    /// Values that [`Self::max_line_count`] may have.
    pub const LINE_COUNTS: RangeInclusive<u16> = 1..=4;
    /// Values that [`Self::max_words_per_line`] may have.
    pub const WORDS_PER_LINE: RangeInclusive<u16> = 1..=100;
    /// Values that [`Self::min_cue_duration_ms`] may have.
    pub const MIN_DURATIONS_MS: RangeInclusive<u32> = 0..=5_000;
    /// Values that [`Self::max_cue_duration_ms`] may have; none is below a least duration.
    pub const MAX_DURATIONS_MS: RangeInclusive<u32> = 5_000..=60_000;
    /// Values that [`Self::max_chars_per_second`] may have.
    pub const CHARS_PER_SECOND: RangeInclusive<u16> = 5..=100;

    /// Parses a number of a style.
    ///
    /// # Errors
    /// The text is not a number within `bounds`.
    pub fn parse_number<N>(text: &str, bounds: &RangeInclusive<N>) -> Result<N, OutOfBounds>
    where
        N: FromStr + PartialOrd + Display,
    {
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| OutOfBounds { least: bounds.start().to_string(), most: bounds.end().to_string() })
    }

    /// How long `columns` of text should be shown, in milliseconds.
    pub(super) fn reading_ms(&self, columns: usize) -> u64 {
        let reading_ms = columns as u64 * 1000 / u64::from(self.max_chars_per_second.max(1));
        reading_ms.max(u64::from(self.min_cue_duration_ms)).min(u64::from(self.max_cue_duration_ms))
    }
}

/// A number that is outside its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("use a whole number from {least} to {most}")]
pub struct OutOfBounds {
    least: String,
    most: String,
}

impl Default for CueStyle {
    fn default() -> Self {
        Self {
            max_line_width: 42,
            max_line_count: 2,
            max_words_per_line: None,
            highlight_words: false,
            // Five sixths of a second: twenty frames of film.
            min_cue_duration_ms: 833,
            max_cue_duration_ms: 7_000,
            max_chars_per_second: 20,
        }
    }
}
