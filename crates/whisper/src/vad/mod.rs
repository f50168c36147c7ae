//! Where somebody speaks, by the Silero VAD network, which also knows music and noise for what they are.

mod dense;
mod network;
mod timestamps;
mod weights;

use serde::{Deserialize, Serialize};

use network::Silero;
use timestamps::Timestamps;

use crate::Span;
use crate::audio::samples_to_ms;
use crate::error::TranscribeError;

/// Settings of the speech detector; names and meaning are those of faster-whisper's `VadOptions`, the
/// defaults those of its batched pipeline except where a field says why.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VadOptions {
    /// From this probability on it is speech.
    pub threshold: f32,
    /// Speech goes on until the probability is below this; `None` takes 0.15 below `threshold`.
    pub neg_threshold: Option<f32>,
    /// Stretches not longer than this are dropped. faster-whisper keeps all; the first stroke of an
    /// instrument is sometimes taken for speech of up to 160 ms, while the shortest words have 190.
    pub min_speech_duration_ms: u64,
    /// Longer stretches are parted, at a pause if there is one; `None` leaves that to the window's length,
    /// and to where it is quietest.
    pub max_speech_duration_s: Option<f32>,
    /// Shorter pauses belong to the speech around them.
    pub min_silence_duration_ms: u64,
    /// Added on both sides, for soft first and last sounds, but never past half of a pause.
    pub speech_pad_ms: u64,
}

impl Default for VadOptions {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            neg_threshold: None,
            min_speech_duration_ms: 160,
            max_speech_duration_s: None,
            min_silence_duration_ms: 160,
            speech_pad_ms: 400,
        }
    }
}

impl VadOptions {
    /// Refuses what cannot be.
    pub(crate) fn check(&self) -> Result<(), TranscribeError> {
        let bad = |option, reason| Err(TranscribeError::BadOption { option, reason });
        let probability = |value: f32| (0.0..=1.0).contains(&value);
        if !probability(self.threshold) {
            bad("vad_parameters.threshold", "must lie between 0 and 1")
        } else if self.neg_threshold.is_some_and(|value| !probability(value)) {
            bad("vad_parameters.neg_threshold", "must lie between 0 and 1")
        } else if self.max_speech_duration_s.is_some_and(|seconds| !seconds.is_finite() || seconds <= 0.0) {
            bad("vad_parameters.max_speech_duration_s", "must be above 0")
        } else {
            Ok(())
        }
    }
}

/// The speech in `samples` (16 kHz mono), in the order of time, not padded.
pub(crate) fn speech(samples: &[f32], options: &VadOptions) -> Vec<Span> {
    let mut silero = Silero::new();
    let mut timestamps = Timestamps::new(options);
    let (mut probabilities, mut spans) = (Vec::new(), Vec::new());
    silero.push(samples, &mut probabilities);
    silero.finish(&mut probabilities);
    for probability in &probabilities {
        timestamps.push(*probability, &mut spans);
    }
    timestamps.finish(samples_to_ms(samples.len() as u64), &mut spans);
    spans.retain(|span| span.length_ms() >= SHORT_MS || is_clear(*span, &probabilities));
    spans
}

/// A sound shorter than this …
const SHORT_MS: u64 = 400;
/// … is a word only if it is once as likely as this: a note struck right after speech reaches 0.86. Of a thousand
/// single words of espeak-ng in noise nine were less likely.
const CLEAR: f32 = 0.88;

fn is_clear(span: Span, probabilities: &[f32]) -> bool {
    let chunk = |ms: u64| usize::try_from(ms / timestamps::CHUNK_MS).unwrap_or(usize::MAX).min(probabilities.len());
    probabilities[chunk(span.start_ms)..chunk(span.end_ms)].iter().any(|probability| *probability >= CLEAR)
}

/// Widens each span by `pad_ms`, but never past its half of the pause to the next.
pub(crate) fn pad(spans: &mut [Span], pad_ms: u64, duration_ms: u64) {
    let mut earliest = 0;
    for i in 0..spans.len() {
        let end_ms = spans[i].end_ms;
        let latest = spans.get(i + 1).map_or(duration_ms, |next| end_ms.midpoint(next.start_ms));
        let span = &mut spans[i];
        span.start_ms = span.start_ms.saturating_sub(pad_ms).max(earliest);
        span.end_ms = (end_ms + pad_ms).min(latest).max(span.start_ms);
        earliest = span.end_ms;
    }
}

#[cfg(test)]
mod tests;
