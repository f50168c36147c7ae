//! What was heard, and how it is written down: segments and the caption file formats.
//!
//! Segments are the model's. For reading they are cut into cues ([`cues`], shaped by a [`CueStyle`]); the formats made
//! for players are written from the cues, those made for programs from the segments.

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
mod write;

pub use cues::{Cue, cues};
pub use format::{Format, UnknownFormat};
pub use pieces::Piece;
pub use segment::{Segment, Transcript, UNDETERMINED, Word};
pub use style::{CueStyle, OutOfBounds};
pub use write::{HighlightError, write};

#[cfg(test)]
mod tests;
