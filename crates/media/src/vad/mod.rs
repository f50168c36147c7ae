//! Where speech is, by the Silero VAD network, which separates it from music and noise.

mod dense;
mod network;
mod timestamps;

use serde::{Deserialize, Serialize};
use ytcaption_domain::Span;

use network::Silero;
use timestamps::Timestamps;

use crate::samples_to_ms;

/// A setting of the speech detector is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the option `{option}` {reason}")]
pub struct InvalidVadOption {
    /// Its name, such as `vad_parameters.threshold`.
    pub option: &'static str,
    /// Its range, such as `must be between 0 and 1`.
    pub reason: &'static str,
}

/// Settings of the speech detector; names and meaning are those of faster-whisper's `VadOptions`, the
/// defaults those of its batched pipeline except where a field says why.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VadOptions {
    /// From this probability on it is speech; 0 to 1.
    pub threshold: f32,
    /// Speech goes on until the probability is below this, 0 to 1; `None` takes 0.15 below `threshold`.
    pub neg_threshold: Option<f32>,
    /// Speech not longer than this is dropped. faster-whisper keeps all; the first stroke of an
    /// instrument is sometimes taken for speech of up to 160 ms, while the shortest words have 190.
    pub min_speech_duration_ms: u64,
    /// Longer speech, in seconds, is divided, at a pause if there is one; `None` leaves that to the window's length,
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
    /// Checks the ranges.
    ///
    /// # Errors
    /// A probability is not within 0 … 1, or a length is not above 0.
    pub fn check(&self) -> Result<(), InvalidVadOption> {
        let invalid = |option, reason| Err(InvalidVadOption { option, reason });
        let probability = |value: f32| (0.0..=1.0).contains(&value);
        if !probability(self.threshold) {
            invalid("vad_parameters.threshold", "must be between 0 and 1")
        } else if self.neg_threshold.is_some_and(|value| !probability(value)) {
            invalid("vad_parameters.neg_threshold", "must be between 0 and 1")
        } else if self.max_speech_duration_s.is_some_and(|seconds| !seconds.is_finite() || seconds <= 0.0) {
            invalid("vad_parameters.max_speech_duration_s", "must be above 0")
        } else {
            Ok(())
        }
    }
}

/// The speech in `samples` (16 kHz mono, ±1), in the order of time, not padded.
pub fn detect_speech(samples: &[f32], options: &VadOptions) -> Vec<Span> {
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

/// Speech shorter than this …
const SHORT_MS: u64 = 400;
/// … counts only if its probability is once at least this: a note struck right after speech reaches 0.86. Of a
/// thousand single words of espeak-ng in noise nine stayed below it.
const CLEAR: f32 = 0.88;

fn is_clear(span: Span, probabilities: &[f32]) -> bool {
    let chunk = |ms: u64| usize::try_from(ms / timestamps::CHUNK_MS).unwrap_or(usize::MAX).min(probabilities.len());
    probabilities[chunk(span.start_ms)..chunk(span.end_ms)].iter().any(|probability| *probability >= CLEAR)
}

/// Widens each span by `pad_ms`, but never past its half of the pause to the next, nor past
/// `duration_ms`, the length of the audio.
pub fn pad(spans: &mut [Span], pad_ms: u64, duration_ms: u64) {
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
