//! Text that was hallucinated over silence, recognised by its words: `hallucination_silence_threshold` of faster-whisper
//! 1.2.1.
//!
//! The part of a window that follows such text is decoded again, from where the text was said to begin.

use ytcaption_domain::Span;
use ytcaption_domain::captions::{Segment, Word};

/// Words of a segment that are looked at, from the first.
const WORDS: usize = 8;
/// A word less likely than this is odd, …
const ODD_PROBABILITY: f32 = 0.15;
/// … as is one shorter than this, by 1 for each 67 ms, …
const SHORT_MS: u64 = 133;
const ODD_PER_SHORT_SECOND: f32 = 15.0;
/// … or longer than this, by 1 for each second.
const LONG_MS: u64 = 2_000;
/// The words of hallucinated text are this odd together, …
const HALLUCINATED: f32 = 3.0;
/// … or as odd as there are words, nearly.
const NEARLY: f32 = 0.01;

/// What begins within this after the window's start, or ends within this before the longest window's end, counts as
/// having silence beside it. Nothing is decoded again from earlier than half of it.
const EDGE_MS: u64 = 2_000;

/// How a window is cut.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Segments to keep, from the first.
    pub(super) kept: usize,
    /// From when on the window is to be decoded again; its end if nothing follows.
    pub(super) resume_ms: u64,
}

/// The first hallucinated text among the segments of `window`, which have words if the model can align. `limit_ms` is the
/// length of the longest window.
pub(super) fn find(window: Span, limit_ms: u64, segments: &[Segment], threshold_ms: u64) -> Option<Cut> {
    // The times of words, and whether these look hallucinated.
    let spoken: Vec<(usize, Span, bool)> = segments
        .iter()
        .enumerate()
        .filter_map(|(n, segment)| {
            let (first, last) = (segment.words.first()?, segment.words.last()?);
            Some((n, Span { start_ms: first.start_ms, end_ms: last.end_ms }, is_odd(&segment.words)))
        })
        .collect();
    if let Some((_, first, true)) = spoken.first() {
        let gap_ms = first.start_ms.saturating_sub(window.start_ms);
        if gap_ms > threshold_ms {
            return Some(Cut { kept: 0, resume_ms: first.start_ms });
        }
    }
    let mut last_end_ms = window.start_ms;
    for (i, &(n, span, odd)) in spoken.iter().enumerate() {
        let next = spoken.get(i + 1);
        let next_start_ms = next.map_or(window.end_ms, |(_, next, _)| next.start_ms);
        let silence_before = span.start_ms.saturating_sub(last_end_ms) > threshold_ms
            || span.start_ms.saturating_sub(window.start_ms) < EDGE_MS;
        let silence_after = next_start_ms.saturating_sub(span.end_ms) > threshold_ms
            || next.is_some_and(|(_, _, odd)| *odd)
            || (window.start_ms + limit_ms).saturating_sub(span.end_ms) < EDGE_MS;
        if odd && silence_before && silence_after {
            let nothing_follows = window.end_ms.saturating_sub(span.end_ms) < threshold_ms;
            let resume_ms = span.start_ms.max(window.start_ms + EDGE_MS / 2).min(window.end_ms);
            return Some(Cut { kept: n, resume_ms: if nothing_follows { window.end_ms } else { resume_ms } });
        }
        last_end_ms = span.end_ms;
    }
    None
}

/// Whether words are as unlikely, short or long as those of text that was not spoken.
fn is_odd(words: &[Word]) -> bool {
    let said = words.iter().filter(|word| word.text.contains(char::is_alphanumeric)).take(WORDS);
    let (count, score) = said.fold((0.0, 0.0), |(count, score), word| (count + 1.0, score + oddness(word)));
    score >= HALLUCINATED || score + NEARLY >= count
}

fn oddness(word: &Word) -> f32 {
    let length_ms = word.end_ms.saturating_sub(word.start_ms);
    let seconds = |ms: u64| ms as f32 / 1000.0;
    f32::from(u8::from(word.probability < ODD_PROBABILITY))
        + seconds(SHORT_MS.saturating_sub(length_ms)) * ODD_PER_SHORT_SECOND
        + seconds(length_ms.saturating_sub(LONG_MS))
}

#[cfg(test)]
mod tests;
