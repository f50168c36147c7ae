//! Whisper's timestamp tokens: where segments begin and end, and where the model stopped listening.

use super::RawSegment;
use ytcaption_domain::Span;
use ytcaption_models::Vocabulary;

/// What the tokens of one window say; times in milliseconds from the window's start.
pub(super) struct Reading {
    /// Segments that are complete.
    pub(super) segments: Vec<RawSegment>,
    /// Text after the last complete segment, without an end of its own.
    pub(super) unfinished: Option<RawSegment>,
    /// Up to where the window is written down.
    pub(super) resume_ms: u64,
}

/// Reads `tokens` under Whisper's rules: timestamps come in pairs, `end` and next `start`; a lone one
/// at the end says that nothing is spoken after it. No time lies past `length_ms`, since the window is
/// filled up with silence there.
pub(super) fn read(vocabulary: &Vocabulary, tokens: &[usize], length_ms: u64) -> Reading {
    let mut segments = Vec::new();
    let mut start_ms = 0;
    let mut last_end_ms = 0;
    let mut text = Vec::new();
    for &token in tokens {
        match vocabulary.timestamp_ms(token) {
            None if vocabulary.is_text(token) => text.push(token),
            None => {}
            Some(at_ms) => {
                let at_ms = at_ms.min(length_ms);
                if !text.is_empty() {
                    let span = Span { start_ms, end_ms: at_ms };
                    segments.push(RawSegment { span, tokens: std::mem::take(&mut text) });
                    last_end_ms = at_ms;
                }
                start_ms = at_ms;
            }
        }
    }
    let unfinished =
        (!text.is_empty()).then_some(RawSegment { span: Span { start_ms, end_ms: length_ms }, tokens: text });
    Reading { segments, unfinished, resume_ms: last_end_ms }
}

#[cfg(test)]
mod tests;
