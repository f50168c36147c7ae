//! Where somebody may be speaking, by loudness alone: no model, a few hundred nanoseconds a frame.
//!
//! It errs on the side of hearing speech: what is sent to the model in vain costs time, what is left
//! out is lost. Its cuts are what matters most, since Whisper hears a word cut in two as another word.

mod detector;
mod envelope;

use serde::{Deserialize, Serialize};

pub(crate) use detector::Detector;
pub(crate) use envelope::{Envelope, FRAME_MS, quietest_frame};

use crate::Span;
use crate::audio::samples_to_ms;

/// Settings of the speech detector; the names are those of faster-whisper's `VadOptions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VadOptions {
    /// Shorter bursts are clicks, not words. A quickly spoken "no" is about 200 ms of loud sound.
    pub min_speech_duration_ms: u64,
    /// Shorter pauses belong to the speech around them.
    pub min_silence_duration_ms: u64,
    /// Added on both sides of each stretch, for soft first and last sounds.
    pub speech_pad_ms: u64,
}

impl Default for VadOptions {
    fn default() -> Self {
        Self { min_speech_duration_ms: 150, min_silence_duration_ms: 300, speech_pad_ms: 200 }
    }
}

/// What the detector found in a whole recording or chunk.
#[derive(Debug, Clone)]
pub(crate) struct SpeechMap {
    /// Speech, padded, in the order of time, never overlapping.
    pub(crate) spans: Vec<Span>,
    /// Level of each frame of [`FRAME_MS`] in dB.
    pub(crate) levels: Vec<f32>,
}

/// Finds the speech in `samples` (16 kHz mono).
pub(crate) fn analyse(samples: &[f32], options: &VadOptions) -> SpeechMap {
    let mut levels = Vec::with_capacity(samples.len() / 160 + 1);
    Envelope::default().push(samples, &mut levels);
    let mut detector = Detector::new(options);
    let mut spans = Vec::new();
    detector.push(&levels, &mut spans);
    detector.finish(&mut spans);
    let duration_ms = samples_to_ms(samples.len() as u64);
    pad(&mut spans, options.speech_pad_ms, duration_ms);
    SpeechMap { spans, levels }
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
