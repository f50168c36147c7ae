//! Whisper's timestamp tokens: where segments begin and end, and how far the window was written.

use ytcaption_domain::Span;
use ytcaption_models::Vocabulary;

/// A segment still in tokens.
pub(super) struct RawSegment {
    pub(super) span: Span,
    /// Text tokens only.
    pub(super) tokens: Vec<usize>,
}

/// The segments in the tokens of one window; times in milliseconds from the window's start.
pub(super) struct Parsed {
    /// Segments that are complete.
    pub(super) segments: Vec<RawSegment>,
    /// Text after the last complete segment, without an end of its own.
    pub(super) unfinished: Option<RawSegment>,
    /// How far the window was written.
    pub(super) resume_ms: u64,
}

/// Parses `tokens` by Whisper's rules: timestamps come in pairs, `end` and next `start`; a single one at the end means
/// that there is no speech after it. No time is past `length_ms`, since the window is filled up with silence there.
pub(super) fn parse(vocabulary: &Vocabulary, tokens: &[usize], length_ms: u64) -> Parsed {
    let mut segments = Vec::new();
    let mut start_ms = 0;
    let mut last_end_ms = 0;
    let mut text = Vec::new();
    for &token in tokens {
        match vocabulary.timestamp_ms(token) {
            None if vocabulary.is_text(token) => text.push(token),
            None => {}
            Some(time_ms) => {
                let time_ms = time_ms.min(length_ms);
                if !text.is_empty() {
                    let span = Span { start_ms, end_ms: time_ms };
                    segments.push(RawSegment { span, tokens: std::mem::take(&mut text) });
                    last_end_ms = time_ms;
                }
                start_ms = time_ms;
            }
        }
    }
    let unfinished =
        (!text.is_empty()).then_some(RawSegment { span: Span { start_ms, end_ms: length_ms }, tokens: text });
    Parsed { segments, unfinished, resume_ms: last_end_ms }
}

#[cfg(test)]
mod tests;
