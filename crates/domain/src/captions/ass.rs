//! Advanced `SubStation` Alpha, version 4.00+, as libass and Aegisub read it.

use std::fmt::Write as _;

use super::format::CaptionFormat;
use super::{Cue, CueStyle, Transcript, cues, overrides};

/// Large enough to read, at the bottom, with an outline: the style that libass itself falls back to.
const HEAD: &str = "\
[Script Info]
ScriptType: v4.00+
PlayResX: 1920
PlayResY: 1080
WrapStyle: 2
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,64,&H00FFFFFF,&H0000FFFF,&H00000000,&H00000000,0,0,0,0,100,100,0,0,1,3,1,2,40,40,50,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
";

pub(super) const FORMAT: CaptionFormat = CaptionFormat {
    name: "ass",
    extension: "ass",
    content_type: "text/x-ssa; charset=utf-8",
    highlights_words: true,
    write,
};

/// A dialogue line for each cue; highlighted words are karaoke syllables.
fn write(transcript: &Transcript, style: &CueStyle) -> String {
    let mut out = HEAD.to_owned();
    let mut free_from_cs = 0;
    for cue in cues(transcript, style) {
        // Times have hundredths only; a cue never vanishes by that, nor begins before the last has gone.
        let start_cs = (cue.start_ms / 10).max(free_from_cs);
        let end_cs = (cue.end_ms / 10).max(start_cs + 1);
        free_from_cs = end_cs;
        let text = text(&cue, style.highlight_words);
        let _ = writeln!(out, "Dialogue: 0,{},{},Default,,0,0,0,,{text}", time(start_cs), time(end_cs));
    }
    out
}

/// `H:MM:SS.cc`
fn time(cs: u64) -> String {
    let (seconds, cs) = (cs / 100, cs % 100);
    format!("{}:{:02}:{:02}.{cs:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn text(cue: &Cue, highlight: bool) -> String {
    let mut out = String::new();
    let mut begin_cs = cue.start_ms / 10;
    let mut following = cue.lines.iter().flatten().skip(1);
    for (i, line) in cue.lines.iter().enumerate() {
        for (j, piece) in line.iter().enumerate() {
            match (i, j) {
                (1.., 0) => out.push_str("\\N"),
                (_, 1..) if piece.spaced => out.push(' '),
                _ => {}
            }
            if highlight {
                // A syllable lasts until the next begins, so that they add up to the cue.
                let until_cs = following.next().map_or(cue.end_ms, |next| next.start_ms.min(cue.end_ms)) / 10;
                let _ = write!(out, "{{\\k{}}}", until_cs.saturating_sub(begin_cs));
                begin_cs = begin_cs.max(until_cs);
            }
            out.push_str(&overrides::defuse(&piece.text));
        }
    }
    out
}
