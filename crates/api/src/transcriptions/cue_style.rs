//! The parameters of a result that shape its cues.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use utoipa::IntoParams;
use ytcaption_domain::captions::CueStyle;

use super::parameters::Query;

/// How the cues of SRT, VTT, ASS and LRC are shaped. The first four names are those of Whisper's command line.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `read` takes; a test compares them")]
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
    /// Columns that a reader is asked to take in a second, if the speech leaves the time.
    #[param(minimum = 5, maximum = 100, default = 20)]
    max_chars_per_second: Option<u16>,
}

/// Reads the style; what is not given is as usual.
pub(super) fn read(query: &mut Query) -> CueStyle {
    let usual = CueStyle::default();
    CueStyle {
        max_line_width: number(query, "max_line_width", CueStyle::LINE_WIDTHS).unwrap_or(usual.max_line_width),
        max_line_count: number(query, "max_line_count", CueStyle::LINE_COUNTS).unwrap_or(usual.max_line_count),
        max_words_per_line: number(query, "max_words_per_line", CueStyle::WORDS_PER_LINE),
        highlight_words: query.take("highlight_words", truth).unwrap_or(usual.highlight_words),
        min_cue_duration_ms: number(query, "min_cue_duration_ms", CueStyle::MIN_DURATIONS_MS)
            .unwrap_or(usual.min_cue_duration_ms),
        max_cue_duration_ms: number(query, "max_cue_duration_ms", CueStyle::MAX_DURATIONS_MS)
            .unwrap_or(usual.max_cue_duration_ms),
        max_chars_per_second: number(query, "max_chars_per_second", CueStyle::CHARS_PER_SECOND)
            .unwrap_or(usual.max_chars_per_second),
    }
}

/// What tells the style apart in an `ETag`; nothing for the usual one.
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
        CueStyle::parse_number(text, &range).map_err(|error| format!("`{text}` is not within bounds; {error}"))
    })
}

fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("`{text}` is neither `true` nor `false`"))
}
