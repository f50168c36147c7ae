//! What stays the same from batch to batch of one transcription.

use std::sync::atomic::{AtomicBool, Ordering};

use ytcaption_domain::Span;
use ytcaption_domain::captions::Segment;
use ytcaption_media::SAMPLES_PER_MS;

use super::hallucinations::{self, Cut};
use crate::error::TranscribeError;
use crate::features::HOP;
use crate::options::TranscribeOptions;

/// Frames of the spectrogram in one second.
const FRAMES_PER_SECOND: usize = 100;

/// Tokens of previous text and of a prefix that fit before what is written: half of Whisper's 448, less the marker.
pub(crate) const PREVIOUS_TOKENS: usize = 223;

/// The options of a transcription, as tokens where they are text.
pub(crate) struct Context {
    pub(crate) options: TranscribeOptions,
    /// Columns of the spectrogram given to the encoder.
    pub(crate) frames: usize,
    /// Tokens that are never written.
    pub(crate) suppress_tokens: Vec<i32>,
    /// Tokens of the words to expect.
    pub(crate) hotwords: Vec<usize>,
    /// Tokens of the text that the model takes as said before.
    pub(crate) initial_prompt: Vec<usize>,
    /// Tokens that the first window begins with.
    pub(crate) prefix: Vec<usize>,
    /// Set when the caller cancelled: stop before the next call of the engine.
    pub(crate) cancelled: AtomicBool,
}

impl Context {
    /// Columns of the spectrogram for windows of `seconds`.
    pub(crate) fn frames(seconds: u32) -> usize {
        seconds as usize * FRAMES_PER_SECOND
    }

    /// The tokens before the transcript: as much as fits, of the hotwords the first, of the rest the last.
    pub(super) fn before(&self, previous: &[usize], prefix: &[usize]) -> Vec<usize> {
        let hotwords = if prefix.is_empty() { self.hotwords.as_slice() } else { &[] };
        let hotwords = &hotwords[..hotwords.len().min(PREVIOUS_TOKENS)];
        let text = [self.initial_prompt.as_slice(), previous].concat();
        let room = PREVIOUS_TOKENS - hotwords.len() - prefix.len();
        [hotwords, &text[text.len().saturating_sub(room)..]].concat()
    }

    /// The first text of `window`, if any, that looks hallucinated; only with `hallucination_silence_threshold`.
    pub(super) fn find_hallucination(&self, window: Span, segments: &[Segment]) -> Option<Cut> {
        let threshold_ms = (self.options.hallucination_silence_threshold? * 1000.0) as u64;
        let limit_ms = (self.frames * HOP) as u64 / SAMPLES_PER_MS;
        hallucinations::find(window, limit_ms, segments, threshold_ms)
    }

    /// Fails if the caller cancelled.
    pub(super) fn check_cancelled(&self) -> Result<(), TranscribeError> {
        if self.cancelled.load(Ordering::Relaxed) { Err(TranscribeError::Cancelled) } else { Ok(()) }
    }
}
