//! The options that shape cues; each has the name of the parameter of the REST interface.

use clap::Args;
use ytcaption_domain::captions::CueStyle;

#[derive(Debug, Args)]
#[command(next_help_heading = "Shape of the cues (srt, vtt, ass and lrc)")]
pub(super) struct CueStyleArgs {
    /// Columns of a line; a full-width character takes two [default: 42]
    #[arg(long, value_name = "COLUMNS", value_parser = |text: &str| CueStyle::parse_number(text, &CueStyle::LINE_WIDTHS))]
    max_line_width: Option<u16>,
    /// Lines of a cue [default: 2]
    #[arg(long, value_name = "LINES", value_parser = |text: &str| CueStyle::parse_number(text, &CueStyle::LINE_COUNTS))]
    max_line_count: Option<u16>,
    /// Words of a line, whatever its width
    #[arg(long, value_name = "WORDS", value_parser = |text: &str| CueStyle::parse_number(text, &CueStyle::WORDS_PER_LINE))]
    max_words_per_line: Option<u16>,
    /// Show when each word is spoken (vtt, ass and lrc)
    #[arg(long)]
    highlight_words: bool,
    /// A cue stays at least this long if the next one leaves it the time [default: 833]
    #[arg(long, value_name = "MS", value_parser = |text: &str| CueStyle::parse_number(text, &CueStyle::MIN_DURATIONS_MS))]
    min_cue_duration_ms: Option<u32>,
    /// A cue of several words stays at most this long [default: 7000]
    #[arg(long, value_name = "MS", value_parser = |text: &str| CueStyle::parse_number(text, &CueStyle::MAX_DURATIONS_MS))]
    max_cue_duration_ms: Option<u32>,
    /// Columns to read in a second, if the speech leaves the time [default: 20]
    #[arg(long, value_name = "COLUMNS", value_parser = |text: &str| CueStyle::parse_number(text, &CueStyle::CHARS_PER_SECOND))]
    max_chars_per_second: Option<u16>,
}

impl CueStyleArgs {
    /// The style; what is not given has its default.
    pub(super) fn style(&self) -> CueStyle {
        let default = CueStyle::default();
        CueStyle {
            max_line_width: self.max_line_width.unwrap_or(default.max_line_width),
            max_line_count: self.max_line_count.unwrap_or(default.max_line_count),
            max_words_per_line: self.max_words_per_line,
            highlight_words: self.highlight_words,
            min_cue_duration_ms: self.min_cue_duration_ms.unwrap_or(default.min_cue_duration_ms),
            max_cue_duration_ms: self.max_cue_duration_ms.unwrap_or(default.max_cue_duration_ms),
            max_chars_per_second: self.max_chars_per_second.unwrap_or(default.max_chars_per_second),
        }
    }

    /// What is given, as parameters of a request.
    pub(super) fn parameters(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("max_line_width", self.max_line_width.map(u32::from)),
            ("max_line_count", self.max_line_count.map(u32::from)),
            ("max_words_per_line", self.max_words_per_line.map(u32::from)),
            ("min_cue_duration_ms", self.min_cue_duration_ms),
            ("max_cue_duration_ms", self.max_cue_duration_ms),
            ("max_chars_per_second", self.max_chars_per_second.map(u32::from)),
        ];
        let numbers = given.into_iter().filter_map(|(name, number)| Some((name, number?.to_string())));
        let highlight = self.highlight_words.then(|| ("highlight_words", true.to_string()));
        numbers.chain(highlight).collect()
    }
}
