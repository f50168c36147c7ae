//! One batch of windows through the model: encode, generate, judge, try again, read timestamps.

mod attempt;
mod edges;
mod encoded;
mod hallucinations;
mod language;
mod loops;
mod round;
mod timestamps;
mod words;

use std::sync::atomic::{AtomicBool, Ordering};

use ytcaption_domain::captions::Segment;

use hallucinations::Cut;
use round::Round;

use crate::error::TranscribeError;
use crate::features::{FeatureExtractor, HOP};
use crate::model::Model;
use crate::options::TranscribeOptions;
use ytcaption_domain::Span;
use ytcaption_media::SAMPLES_PER_MS;

/// Frames of the spectrogram in one second.
const FRAMES_PER_SECOND: usize = 100;

/// Tokens of previous text and of a prefix that fit before what is written: half of Whisper's 448, less the marker.
pub(crate) const PREVIOUS_TOKENS: usize = 223;

/// A stretch of sound for the model, with the speech in it; times are of the whole recording.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    pub(crate) span: Span,
    pub(crate) samples: Vec<f32>,
    /// Where speech was found, not padded; the whole window when nobody looked.
    pub(crate) speech: Vec<Span>,
}

/// Everything that stays the same from batch to batch.
pub(crate) struct Context {
    pub(crate) options: TranscribeOptions,
    /// Columns of the spectrogram given to the encoder.
    pub(crate) frames: usize,
    /// Tokens never written.
    pub(crate) suppress_tokens: Vec<i32>,
    /// Tokens of the words to expect.
    pub(crate) hotwords: Vec<usize>,
    /// Tokens of the text as if said before.
    pub(crate) initial_prompt: Vec<usize>,
    /// Tokens that the first window begins with.
    pub(crate) prefix: Vec<usize>,
    /// Set when the caller cancelled: stop before the next call of the engine.
    pub(crate) cancelled: AtomicBool,
}

/// A batch to decode.
pub(crate) struct Batch {
    pub(crate) windows: Vec<Window>,
    /// `None`: hear it from these windows.
    pub(crate) language: Option<String>,
    /// Text tokens before this window; only with `condition_on_previous_text`.
    pub(crate) previous: Vec<usize>,
    /// Its one window begins with the prefix.
    pub(crate) prefixed: bool,
}

/// A batch decoded.
pub(crate) struct Decoded {
    pub(crate) segments: Vec<Segment>,
    pub(crate) language: String,
    /// Text tokens to give the next window; empty when they would mislead it.
    pub(crate) previous: Vec<usize>,
}

/// Decodes a batch, and again what its windows left unwritten.
pub(crate) fn decode(
    model: &Model,
    extractor: &FeatureExtractor,
    context: &Context,
    mut batch: Batch,
) -> Result<Decoded, TranscribeError> {
    let mut segments = Vec::new();
    let mut previous = Vec::new();
    let mut language = batch.language.take();
    let mut prefix = if batch.prefixed { context.prefix.as_slice() } else { &[] };
    while !batch.windows.is_empty() {
        let round = Round::encode(model, extractor, context, std::mem::take(&mut batch.windows))?;
        let spoken = match language {
            Some(known) => known,
            None => round.hear_language()?,
        };
        let attempts = round.attempts(&spoken, &batch.previous, std::mem::take(&mut prefix))?;
        let (written, leftovers): (Vec<_>, Vec<_>) =
            round.windows.iter().zip(&attempts).map(|(window, attempt)| round.read(window, attempt)).unzip();
        let heard = round.into_segments(&spoken, &attempts, written)?;
        for (((window, mut found), leftover), attempt) in heard.into_iter().zip(leftovers).zip(&attempts) {
            let cut = context.invented(&window, &found);
            if cut.is_none() && attempt.temperature <= RESET_PROMPT_ABOVE {
                previous.extend(attempt.text_tokens(model));
            } else {
                previous.clear();
            }
            batch.windows.extend(match cut {
                None => leftover,
                Some(Cut { kept, resume_ms }) => {
                    found.truncate(kept);
                    Some(window.from(resume_ms)).filter(|rest| !rest.speech.is_empty())
                }
            });
            segments.extend(found);
        }
        language = Some(spoken);
    }
    segments.sort_by_key(|segment: &Segment| segment.start_ms);
    loops::drop_repeated(&mut segments);
    Ok(Decoded { segments, language: language.unwrap_or_default(), previous })
}

/// The language that is likeliest over all these windows.
pub(crate) fn detect_language(
    model: &Model,
    extractor: &FeatureExtractor,
    context: &Context,
    windows: Vec<Window>,
) -> Result<String, TranscribeError> {
    let all = windows.len();
    language::hear(&Round::encode(model, extractor, context, windows)?, all)
}

/// faster-whisper's `prompt_reset_on_temperature`: text found by guessing is no prompt.
const RESET_PROMPT_ABOVE: f32 = 0.5;

/// A segment still in tokens.
struct RawSegment {
    span: Span,
    tokens: Vec<usize>,
}

impl Window {
    /// The stretch `span` of `pcm`, whose first sample is at 0.
    pub(crate) fn cut(pcm: &[f32], span: Span, speech: Vec<Span>) -> Self {
        let sample = |ms: u64| usize::try_from(ms * SAMPLES_PER_MS).unwrap_or(usize::MAX).min(pcm.len());
        Self { span, samples: pcm[sample(span.start_ms)..sample(span.end_ms)].to_vec(), speech }
    }

    /// The window from `start_ms` on.
    fn from(&self, start_ms: u64) -> Self {
        let skipped = (start_ms - self.span.start_ms) * SAMPLES_PER_MS;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX).min(self.samples.len());
        Self {
            span: Span { start_ms, ..self.span },
            samples: self.samples[skipped..].to_vec(),
            speech: self.speech.iter().filter(|span| span.end_ms > start_ms).copied().collect(),
        }
    }
}

impl Context {
    /// Columns of the spectrogram for windows of `seconds`.
    pub(crate) fn frames(seconds: u32) -> usize {
        seconds as usize * FRAMES_PER_SECOND
    }

    /// The tokens before the transcript: as much as fits, of the hotwords the first, of the rest the last.
    fn before(&self, previous: &[usize], prefix: &[usize]) -> Vec<usize> {
        let hotwords = if prefix.is_empty() { self.hotwords.as_slice() } else { &[] };
        let hotwords = &hotwords[..hotwords.len().min(PREVIOUS_TOKENS)];
        let text = [self.initial_prompt.as_slice(), previous].concat();
        let room = PREVIOUS_TOKENS - hotwords.len() - prefix.len();
        [hotwords, &text[text.len().saturating_sub(room)..]].concat()
    }

    /// The first text of a window, if any, that nobody seems to have said.
    fn invented(&self, window: &Window, found: &[Segment]) -> Option<Cut> {
        let threshold_ms = (self.options.hallucination_silence_threshold? * 1000.0) as u64;
        let limit_ms = (self.frames * HOP) as u64 / SAMPLES_PER_MS;
        hallucinations::find(window.span, limit_ms, found, threshold_ms)
    }

    fn check(&self) -> Result<(), TranscribeError> {
        if self.cancelled.load(Ordering::Relaxed) { Err(TranscribeError::Cancelled) } else { Ok(()) }
    }
}
