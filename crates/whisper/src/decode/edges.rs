//! A segment is within speech.

use ytcaption_domain::Span;

/// A segment may reach this far past the detected speech: its first and last sounds are soft.
const SOFT_SOUND_MS: u64 = 200;

/// `segment` without the silence before and after its speech. `None`: it has no speech, so that the model has
/// hallucinated its text. `pad_ms` is how much was left around the speech for the model.
///
/// Whisper likes to begin a segment where the window begins and to end it where the next one begins.
/// faster-whisper corrects that with the times of words ("a better segmentation algorithm based on VAD should
/// be able to replace this", says its source); here the detector does.
pub(super) fn trim(segment: Span, speech: &[Span], pad_ms: u64) -> Option<Span> {
    let widened = |span: &Span, by_ms: u64| Span {
        start_ms: span.start_ms.saturating_sub(by_ms),
        end_ms: span.end_ms.saturating_add(by_ms),
    };
    let mut within = speech.iter().filter(|span| widened(span, pad_ms).overlaps(segment));
    let first = within.next()?;
    let last = within.next_back().unwrap_or(first);
    let (first, last) = (widened(first, SOFT_SOUND_MS), widened(last, SOFT_SOUND_MS));
    let trimmed = Span { start_ms: segment.start_ms.max(first.start_ms), end_ms: segment.end_ms.min(last.end_ms) };
    // Text in the padding alone is a word that the detector missed.
    Some(if trimmed.length_ms() > 0 { trimmed } else { segment })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trimmed(start_ms: u64, end_ms: u64) -> Option<(u64, u64)> {
        let speech = [Span { start_ms: 1000, end_ms: 3000 }, Span { start_ms: 5000, end_ms: 6000 }];
        trim(Span { start_ms, end_ms }, &speech, 400).map(|span| (span.start_ms, span.end_ms))
    }

    #[test]
    fn silence_around_speech_is_removed() {
        assert_eq!(trimmed(0, 4500), Some((800, 3200)));
        assert_eq!(trimmed(600, 9000), Some((800, 6200)));
        assert_eq!(trimmed(4000, 5500), Some((4800, 5500)));
    }

    #[test]
    fn what_is_in_speech_stays() {
        assert_eq!(trimmed(1200, 2900), Some((1200, 2900)));
        assert_eq!(trimmed(900, 3150), Some((900, 3150)));
        assert_eq!(trimmed(2000, 5800), Some((2000, 5800)));
    }

    #[test]
    fn text_without_speech_is_hallucinated() {
        assert_eq!(trimmed(3500, 4500), None);
        assert_eq!(trimmed(7000, 8000), None);
        assert_eq!(trim(Span { start_ms: 0, end_ms: 1000 }, &[], 400), None);
    }

    #[test]
    fn a_word_that_the_detector_missed_stays() {
        assert_eq!(trimmed(3250, 3390), Some((3250, 3390)));
    }
}
