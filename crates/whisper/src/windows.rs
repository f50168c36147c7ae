//! Packing speech into windows that the model decodes at once.
//!
//! A window of Whisper has at most 30 s. Cutting blindly there costs about a fifth more word errors, so windows begin and
//! end in pauses, and of the possible pauses the longest is taken.

use ytcaption_domain::Span;
use ytcaption_media::levels::{FRAME_MS, quietest_frame};
use ytcaption_media::vad::pad;

/// A pause this long always ends a window: the model tends to hallucinate text in silence.
const LONG_PAUSE_MS: u64 = 4_000;

/// The part (a half) of a window before which it is not cut for the sake of a longer pause.
const MIN_FILL: u64 = 2;

/// An interval of the audio for the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packed {
    pub(crate) span: Span,
    /// The speech in it.
    pub(crate) speech: Vec<Span>,
}

/// How [`pack`] cuts.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "the unit is part of every name of a time")]
pub(crate) struct Packing {
    /// Longest window.
    pub(crate) limit_ms: u64,
    /// Left around the speech where there is room.
    pub(crate) pad_ms: u64,
    /// Length of the audio.
    pub(crate) duration_ms: u64,
}

/// Packs `speech` into windows. `levels` has the level of each [`FRAME_MS`]: speech that alone exceeds the
/// limit is cut where it is quietest.
pub(crate) fn pack(speech: &[Span], levels: &[f32], packing: Packing) -> Vec<Packed> {
    let limit_ms = packing.limit_ms.saturating_sub(2 * packing.pad_ms).max(packing.limit_ms / 2);
    let parts: Vec<Span> = speech.iter().flat_map(|span| split(*span, levels, limit_ms)).collect();
    let mut windows = Vec::new();
    let mut rest = parts.as_slice();
    while let Some(first) = rest.first() {
        let taken = fill(rest, limit_ms);
        windows.push(Span { start_ms: first.start_ms, end_ms: rest[taken - 1].end_ms });
        rest = &rest[taken..];
    }
    pad(&mut windows, packing.pad_ms, packing.duration_ms);
    let speech_in = |window: Span| speech.iter().copied().filter(|span| span.overlaps(window)).collect();
    windows.into_iter().map(|span| Packed { span, speech: speech_in(span) }).collect()
}

/// How many of `spans` go into the window that begins with the first.
fn fill(spans: &[Span], limit_ms: u64) -> usize {
    let start_ms = spans[0].start_ms;
    let pause = |i: usize| spans[i].start_ms - spans[i - 1].end_ms;
    let fits = (1..spans.len())
        .find(|&i| spans[i].end_ms - start_ms > limit_ms || pause(i) >= LONG_PAUSE_MS)
        .unwrap_or(spans.len());
    if fits == spans.len() || pause(fits) >= LONG_PAUSE_MS {
        return fits;
    }
    let filled = |i: &usize| spans[i - 1].end_ms - start_ms >= limit_ms / MIN_FILL;
    (1..=fits).filter(filled).max_by_key(|&i| pause(i)).unwrap_or(fits)
}

/// Cuts a span that alone exceeds the limit at its quietest points.
fn split(mut span: Span, levels: &[f32], limit_ms: u64) -> Vec<Span> {
    let mut parts = Vec::new();
    while span.length_ms() > limit_ms {
        let frame = |ms: u64| usize::try_from(ms / FRAME_MS).unwrap_or(usize::MAX);
        let from = frame(span.start_ms + limit_ms / MIN_FILL);
        let cut_ms = quietest_frame(levels, from, frame(span.start_ms + limit_ms)) as u64 * FRAME_MS;
        parts.push(Span { end_ms: cut_ms, ..span });
        span.start_ms = cut_ms;
    }
    parts.push(span);
    parts
}

#[cfg(test)]
mod tests;
