//! The transcript of media, its segments, and the caption file formats.
//!
//! Segments come from the model. For reading they are divided into cues ([`cues`], shaped by a [`CueStyle`]); the formats
//! for players are written from the cues, those for programs from the segments.

mod ass;
mod breaks;
mod cues;
mod format;
mod json;
mod lines;
mod lrc;
mod overrides;
mod pieces;
mod segment;
mod srt;
mod style;
mod timecode;
mod tsv;
mod txt;
mod verbose_json;
mod vtt;

pub use cues::{Cue, cues};
pub use format::{Format, HighlightError, UnknownFormat};
pub use pieces::Piece;
pub use segment::{Segment, Transcript, UNDETERMINED, Word};
pub use style::{CueStyle, OutOfBounds};

#[cfg(test)]
mod tests;
