//! `WebVTT`, after <https://www.w3.org/TR/webvtt1/>.

use std::fmt::Write as _;

use super::format::CaptionFormat;
use super::timecode::timecode;
use super::{CueStyle, Piece, Transcript, cues};

pub(super) const FORMAT: CaptionFormat = CaptionFormat {
    name: "vtt",
    extension: "vtt",
    content_type: "text/vtt; charset=utf-8",
    highlights_words: true,
    write,
};

/// Cues without settings: their position is left to the player. Highlighted words have a timestamp before each
/// (section 4.2.2 of the standard), which a page's `::cue(:past)` and `::cue(:future)` distinguish.
fn write(transcript: &Transcript, style: &CueStyle) -> String {
    let mut out = String::from("WEBVTT\n\n");
    for cue in cues(transcript, style) {
        let (start, end) = (timecode(cue.start_ms, '.'), timecode(cue.end_ms, '.'));
        let mut shown_ms = cue.start_ms;
        let mut stamp = |piece: &Piece| {
            // A timestamp must be later than the one before and within the cue.
            if !style.highlight_words || piece.start_ms <= shown_ms || piece.start_ms >= cue.end_ms {
                return String::new();
            }
            shown_ms = piece.start_ms;
            format!("<{}>", timecode(shown_ms, '.'))
        };
        let lines: Vec<String> = cue.lines.iter().map(|line| text(line, &mut stamp)).collect();
        let _ = write!(out, "{start} --> {end}\n{}\n\n", lines.join("\n"));
    }
    out
}

fn text(line: &[Piece], mut stamp: impl FnMut(&Piece) -> String) -> String {
    let mut out = String::new();
    for (i, piece) in line.iter().enumerate() {
        if i > 0 && piece.spaced {
            out.push(' ');
        }
        out.push_str(&stamp(piece));
        out.push_str(&escape(&piece.text));
    }
    out
}

/// In cue text `&` and `<` begin something else, and `-->` must not occur.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
