//! The parameters of a result that shape its cues.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use utoipa::IntoParams;
use ytcaption_domain::captions::CueStyle;

use crate::parameters::{Query, parse_bool};

/// How the cues of SRT, VTT, ASS and LRC are shaped. The first four names are those of Whisper's command line.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CueStyleParameters {
    /// Columns of a line; a full-width character takes two.
    #[param(minimum = 8, maximum = 200, default = 42)]
    max_line_width: Option<u16>,
    /// Lines of a cue.
    #[param(minimum = 1, maximum = 4, default = 2)]
    max_line_count: Option<u16>,
    /// Words of a line, whatever its width; 1 with `max_line_count=1` makes a cue of each word.
    #[param(minimum = 1, maximum = 100)]
    max_words_per_line: Option<u16>,
    /// Show when each word is spoken, in VTT, ASS and LRC; the job must have been submitted with `word_timestamps`.
    #[param(default = false)]
    highlight_words: Option<bool>,
    /// A cue stays at least this long if the next one leaves it the time, in milliseconds.
    #[param(minimum = 0, maximum = 5000, default = 833)]
    min_cue_duration_ms: Option<u32>,
    /// A cue of several words stays at most this long, in milliseconds.
    #[param(minimum = 5000, maximum = 60000, default = 7000)]
    max_cue_duration_ms: Option<u32>,
    /// Most columns to read in a second, if the speech leaves the time.
    #[param(minimum = 5, maximum = 100, default = 20)]
    max_chars_per_second: Option<u16>,
}

impl CueStyleParameters {
    /// Takes the parameters of a query.
    pub(super) fn from_query(query: &mut Query) -> Self {
        Self {
            max_line_width: number(query, "max_line_width", CueStyle::LINE_WIDTHS),
            max_line_count: number(query, "max_line_count", CueStyle::LINE_COUNTS),
            max_words_per_line: number(query, "max_words_per_line", CueStyle::WORDS_PER_LINE),
            highlight_words: query.take("highlight_words", parse_bool),
            min_cue_duration_ms: number(query, "min_cue_duration_ms", CueStyle::MIN_DURATIONS_MS),
            max_cue_duration_ms: number(query, "max_cue_duration_ms", CueStyle::MAX_DURATIONS_MS),
            max_chars_per_second: number(query, "max_chars_per_second", CueStyle::CHARS_PER_SECOND),
        }
    }

    /// The style; absent parameters have their defaults.
    pub(super) fn style(&self) -> CueStyle {
        let default = CueStyle::default();
        CueStyle {
            max_line_width: self.max_line_width.unwrap_or(default.max_line_width),
            max_line_count: self.max_line_count.unwrap_or(default.max_line_count),
            max_words_per_line: self.max_words_per_line,
            highlight_words: self.highlight_words.unwrap_or(default.highlight_words),
            min_cue_duration_ms: self.min_cue_duration_ms.unwrap_or(default.min_cue_duration_ms),
            max_cue_duration_ms: self.max_cue_duration_ms.unwrap_or(default.max_cue_duration_ms),
            max_chars_per_second: self.max_chars_per_second.unwrap_or(default.max_chars_per_second),
        }
    }
}

/// The part of an `ETag` that names the style; empty for the default style.
pub(super) fn tag(style: &CueStyle) -> String {
    if *style == CueStyle::default() {
        return String::new();
    }
    format!(
        ".{}-{}-{}-{}-{}-{}-{}",
        style.max_line_width,
        style.max_line_count,
        style.max_words_per_line.unwrap_or(0),
        u8::from(style.highlight_words),
        style.min_cue_duration_ms,
        style.max_cue_duration_ms,
        style.max_chars_per_second,
    )
}

fn number<T>(query: &mut Query, name: &str, range: RangeInclusive<T>) -> Option<T>
where
    T: FromStr + PartialOrd + Display,
{
    query.take(name, |text| {
        CueStyle::parse_number(text, &range).map_err(|error| format!("`{text}` is not valid here; {error}"))
    })
}
