//! The transcript as JSON.

use super::format::CaptionFormat;
use super::{CueStyle, Transcript};

pub(super) const FORMAT: CaptionFormat =
    CaptionFormat { name: "json", extension: "json", content_type: "application/json", highlights_words: false, write };

/// Pretty-printed, with all that is known of each segment.
fn write(transcript: &Transcript, _style: &CueStyle) -> String {
    let mut out = serde_json::to_string_pretty(transcript).expect("a transcript holds only strings, numbers and lists");
    out.push('\n');
    out
}
