//! Plain text.

use super::format::CaptionFormat;
use super::pieces::tidy;
use super::{CueStyle, Transcript};

pub(super) const FORMAT: CaptionFormat = CaptionFormat {
    name: "txt",
    extension: "txt",
    content_type: "text/plain; charset=utf-8",
    highlights_words: false,
    write,
};

/// A line for each segment.
fn write(transcript: &Transcript, _style: &CueStyle) -> String {
    let mut out = String::new();
    for segment in &transcript.segments {
        out.push_str(&tidy(&segment.text));
        out.push('\n');
    }
    out
}
