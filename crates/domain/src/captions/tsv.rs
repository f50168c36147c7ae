//! Tab-separated values, as Whisper's own command line writes them.

use std::fmt::Write as _;

use super::format::CaptionFormat;
use super::pieces::tidy;
use super::{CueStyle, Transcript};

pub(super) const FORMAT: CaptionFormat = CaptionFormat {
    name: "tsv",
    extension: "tsv",
    content_type: "text/tab-separated-values; charset=utf-8",
    highlights_words: false,
    write,
};

/// A heading, then a line for each segment: start and end in milliseconds, text.
fn write(transcript: &Transcript, _style: &CueStyle) -> String {
    let mut out = String::from("start\tend\ttext\n");
    for segment in &transcript.segments {
        let _ = writeln!(out, "{}\t{}\t{}", segment.start_ms, segment.end_ms, tidy(&segment.text));
    }
    out
}
