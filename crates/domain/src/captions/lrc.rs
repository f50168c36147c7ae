//! Lyrics with times, as music players read them; highlighted words are the "enhanced" form of the A2 player.

use std::fmt::Write as _;

use super::format::CaptionFormat;
use super::overrides::WORD_JOINER;
use super::{CueStyle, Piece, Transcript, cues};

pub(super) const FORMAT: CaptionFormat = CaptionFormat {
    name: "lrc",
    extension: "lrc",
    content_type: "application/x-lrc; charset=utf-8",
    highlights_words: true,
    write,
};

/// A line for each cue, and an empty one where silence follows it.
fn write(transcript: &Transcript, style: &CueStyle) -> String {
    let cues = cues(transcript, style);
    let mut out = String::new();
    for (i, cue) in cues.iter().enumerate() {
        let pieces: Vec<&Piece> = cue.lines.iter().flatten().collect();
        let words = pieces.iter().enumerate().map(|(i, piece)| word(piece, i == 0, style.highlight_words));
        let _ = writeln!(out, "[{}]{}", time(cue.start_ms), words.collect::<String>());
        if cues.get(i + 1).is_none_or(|next| next.start_ms > cue.end_ms) {
            let _ = writeln!(out, "[{}]", time(cue.end_ms));
        }
    }
    out
}

/// `mm:ss.xx`; minutes grow beyond two digits when they must, since the format has no hours.
fn time(ms: u64) -> String {
    let cs = ms / 10;
    format!("{:02}:{:02}.{:02}", cs / 6000, cs / 100 % 60, cs % 100)
}

fn word(piece: &Piece, first: bool, highlight: bool) -> String {
    // The lines of a cue become one, so its second line begins with a space too.
    let space = if piece.spaced && !first { " " } else { "" };
    let stamp = if highlight { format!("<{}>", time(piece.start_ms)) } else { String::new() };
    // Brackets within the text must not be read as times.
    let text =
        piece.text.replace('[', &format!("{WORD_JOINER}[{WORD_JOINER}")).replace('<', &format!("<{WORD_JOINER}"));
    format!("{space}{stamp}{text}")
}
