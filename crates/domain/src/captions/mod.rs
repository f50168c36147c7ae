//! What was heard, and how it is written down: segments and the caption file formats.

mod cues;
mod format;
mod json;
mod lines;
mod segment;
mod srt;
mod timecode;
mod txt;
mod vtt;

pub use cues::{Cue, cues};
pub use format::{Format, UnknownFormat};
pub use segment::{Segment, Transcript, UNDETERMINED, Word};

/// Writes a transcript as a file of the given format, ending in a line break.
pub fn write(transcript: &Transcript, format: Format) -> String {
    match format {
        Format::Txt => txt::write(transcript),
        Format::Srt => srt::write(transcript),
        Format::Vtt => vtt::write(transcript),
        Format::Json => json::write(transcript),
    }
}

#[cfg(test)]
mod tests;
