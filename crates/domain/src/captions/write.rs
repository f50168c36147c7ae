//! A transcript as a file.

use super::{CueStyle, Format, Transcript, ass, json, lrc, srt, tsv, txt, verbose_json, vtt};

/// Formats that can show when each word is spoken.
const HIGHLIGHTING: [Format; 3] = [Format::Vtt, Format::Ass, Format::Lrc];

/// The words cannot be highlighted as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HighlightError {
    /// The format has no means for it.
    #[error("`{0}` cannot highlight words: choose vtt, ass or lrc")]
    Format(Format),
    /// The recording was transcribed without word times.
    #[error("there are no word times to highlight by: have the recording transcribed with `word_timestamps`")]
    NoWords,
}

/// Writes a transcript as a file of the given format, ending in a line break. `style` is for the formats that are
/// made of cues: SRT, VTT, ASS and LRC.
///
/// # Errors
/// Words should be highlighted in a format that cannot do it, or by times that nobody has measured.
pub fn write(transcript: &Transcript, format: Format, style: &CueStyle) -> Result<String, HighlightError> {
    if style.highlight_words {
        if !HIGHLIGHTING.contains(&format) {
            return Err(HighlightError::Format(format));
        }
        if transcript.segments.iter().any(|segment| segment.words.is_empty()) {
            return Err(HighlightError::NoWords);
        }
    }
    Ok(match format {
        Format::Txt => txt::write(transcript),
        Format::Srt => srt::write(transcript, style),
        Format::Vtt => vtt::write(transcript, style),
        Format::Json => json::write(transcript),
        Format::Tsv => tsv::write(transcript),
        Format::VerboseJson => verbose_json::write(transcript),
        Format::Ass => ass::write(transcript, style),
        Format::Lrc => lrc::write(transcript, style),
    })
}
