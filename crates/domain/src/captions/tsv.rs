//! Tab-separated values, as Whisper's own command line writes them.

use std::fmt::Write as _;

use super::Transcript;
use super::pieces::tidy;

/// A heading, then a line for each segment: start and end in milliseconds, text.
pub(super) fn write(transcript: &Transcript) -> String {
    let mut out = String::from("start\tend\ttext\n");
    for segment in &transcript.segments {
        let _ = writeln!(out, "{}\t{}\t{}", segment.start_ms, segment.end_ms, tidy(&segment.text));
    }
    out
}
