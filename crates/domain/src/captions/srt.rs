//! `SubRip`. It has no specification and no escapes, so what players would take for markup is made
//! harmless without changing how it looks.

use std::fmt::Write as _;

use super::timecode::timecode;
use super::{CueStyle, Transcript, cues};

/// Invisible, has no width and breaks no word (U+2060); between `<` and `b` it keeps both from being a tag.
const WORD_JOINER: char = '\u{2060}';

/// Numbered cues.
pub(super) fn write(transcript: &Transcript, style: &CueStyle) -> String {
    let mut out = String::new();
    for (number, cue) in (1..).zip(cues(transcript, style)) {
        let (start, end) = (timecode(cue.start_ms, ','), timecode(cue.end_ms, ','));
        let text = harmless(&cue.text_lines().join("\n"));
        let _ = write!(out, "{number}\n{start} --> {end}\n{text}\n\n");
    }
    out
}

/// Keeps `<b>` and `{\an8}` from being read as markup and `-->` from being read as a time line.
fn harmless(text: &str) -> String {
    // Some readers take any line with two times for a time line, whatever the arrow.
    let quotes_times = text.contains("-->");
    let text = text.replace("-->", "→");
    let mut out = String::with_capacity(text.len());
    let mut after = text.chars();
    while let Some(c) = after.next() {
        out.push(c);
        let next = after.clone().next();
        let opens_tag = c == '<' && next.is_some_and(|c| c.is_alphabetic() || c == '/');
        let opens_override = c == '{' && next == Some('\\');
        let in_time = quotes_times && c == ':';
        if opens_tag || opens_override || in_time {
            out.push(WORD_JOINER);
        }
    }
    out
}
