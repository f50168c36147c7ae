//! `SubRip`. It has no specification and no escapes, so what players would take for markup is made
//! harmless without changing how it looks.

use std::fmt::Write as _;

use super::format::CaptionFormat;
use super::overrides::{self, WORD_JOINER};
use super::timecode::timecode;
use super::{CueStyle, Transcript, cues};

pub(super) const FORMAT: CaptionFormat = CaptionFormat {
    name: "srt",
    extension: "srt",
    content_type: "application/x-subrip; charset=utf-8",
    highlights_words: false,
    write,
};

/// Numbered cues.
fn write(transcript: &Transcript, style: &CueStyle) -> String {
    let mut out = String::new();
    for (number, cue) in (1..).zip(cues(transcript, style)) {
        let (start, end) = (timecode(cue.start_ms, ','), timecode(cue.end_ms, ','));
        let text = harmless(&cue.text_lines().join("\n"));
        let _ = write!(out, "{number}\n{start} --> {end}\n{text}\n\n");
    }
    out
}

/// Colons that two times of hours, minutes and seconds have.
const COLONS_OF_TWO_TIMES: usize = 4;

/// Keeps `<b>` from being read as markup, and a line with an arrow or two times from being read as a time line.
fn harmless(text: &str) -> String {
    let text = overrides::defuse(&text.replace("-->", "→"));
    let characters: Vec<char> = text.chars().collect();
    let in_time = |at: usize| {
        let digit = |at: Option<usize>| at.and_then(|at| characters.get(at)).is_some_and(char::is_ascii_digit);
        characters[at] == ':' && digit(at.checked_sub(1)) && digit(Some(at + 1))
    };
    let has_times = (0..characters.len()).filter(|at| in_time(*at)).count() >= COLONS_OF_TWO_TIMES;
    let mut out = String::with_capacity(text.len());
    for (at, c) in characters.iter().enumerate() {
        out.push(*c);
        let opens_tag = *c == '<' && characters.get(at + 1).is_some_and(|c| c.is_alphabetic() || *c == '/');
        if opens_tag || (has_times && in_time(at)) {
            out.push(WORD_JOINER);
        }
    }
    out
}
