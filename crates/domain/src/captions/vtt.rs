//! `WebVTT`, after <https://www.w3.org/TR/webvtt1/>.

use std::fmt::Write as _;

use super::timecode::timecode;
use super::{Transcript, cues};

/// Cues without settings: where they stand is the player's business.
pub(super) fn write(transcript: &Transcript) -> String {
    let mut out = String::from("WEBVTT\n\n");
    for cue in cues(transcript) {
        let (start, end) = (timecode(cue.start_ms, '.'), timecode(cue.end_ms, '.'));
        let text = escape(&cue.lines.join("\n"));
        let _ = write!(out, "{start} --> {end}\n{text}\n\n");
    }
    out
}

/// In cue text `&` and `<` begin something else, and `-->` must not occur.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
