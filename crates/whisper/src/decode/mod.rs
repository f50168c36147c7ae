//! One batch of windows through the model: encode, generate, judge, try again, read timestamps.

mod attempt;
mod language;
mod loops;
mod timestamps;
mod words;

use std::sync::atomic::{AtomicBool, Ordering};

use ct2rs::sys::{Device, StorageView, Whisper};
use ytcaption_domain::captions::Segment;

pub(crate) use attempt::Attempt;
use attempt::{Judgement, generate};
pub(crate) use language::resolve as resolve_language;

use crate::Span;
use crate::error::TranscribeError;
use crate::features::{FeatureExtractor, HOP};
use crate::model::Model;
use crate::options::{Task, TranscribeOptions};
use crate::tokenizer::{START_OF_PREVIOUS, START_OF_TRANSCRIPT};

/// Frames of the spectrogram in one second.
const FRAMES_PER_SECOND: usize = 100;

/// Tokens of previous text that fit before the transcript: half of Whisper's 448, less the marker.
const PREVIOUS_TOKENS: usize = 223;

/// What a window left unwritten is decoded again only if the first pass got at least this far, …
const LEAST_PROGRESS_MS: u64 = 1_000;
/// … and only if at least this much speech is left.
const LEAST_LEFTOVER_MS: u64 = 1_000;

/// A stretch of sound for the model, with the speech in it; times are of the whole recording.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    pub(crate) span: Span,
    pub(crate) samples: Vec<f32>,
    /// Where speech was found; empty when nobody looked.
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
    /// Set when the caller has gone: stop at the next chance.
    pub(crate) abandoned: AtomicBool,
}

/// A batch to decode.
pub(crate) struct Batch {
    pub(crate) windows: Vec<Window>,
    /// `None`: hear it from these windows.
    pub(crate) language: Option<String>,
    /// Text tokens before this window; only with `condition_on_previous_text`.
    pub(crate) previous: Vec<usize>,
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
    while !batch.windows.is_empty() {
        let round = Round::encode(model, extractor, context, batch.windows)?;
        let spoken = match language {
            Some(known) => known,
            None => round.hear_language()?,
        };
        let attempts = round.attempts(&spoken, &batch.previous)?;
        let mut leftovers = Vec::new();
        let mut written = Vec::new();
        for (window, attempt) in round.windows.iter().zip(&attempts) {
            let (raw, leftover) = round.read(window, attempt);
            if attempt.temperature <= RESET_PROMPT_ABOVE {
                previous.extend(attempt.text_tokens(model));
            } else {
                previous.clear();
            }
            written.push(raw);
            leftovers.extend(leftover);
        }
        segments.extend(round.into_segments(&spoken, &attempts, written)?);
        batch.windows = leftovers;
        language = Some(spoken);
    }
    segments.sort_by_key(|segment: &Segment| segment.start_ms);
    loops::drop_repeated(&mut segments);
    Ok(Decoded { segments, language: language.unwrap_or_default(), previous })
}

/// faster-whisper's `prompt_reset_on_temperature`: text found by guessing is no prompt.
const RESET_PROMPT_ABOVE: f32 = 0.5;

/// A segment still in tokens.
pub(crate) struct RawSegment {
    pub(crate) span: Span,
    pub(crate) tokens: Vec<usize>,
}

/// Windows that went through the encoder together.
struct Round<'a> {
    model: &'a Model,
    whisper: &'a Whisper,
    context: &'a Context,
    windows: Vec<Window>,
    /// Spectrograms of all windows, one after the other.
    features: Vec<f32>,
    encoded: StorageView<'static>,
}

impl<'a> Round<'a> {
    fn encode(
        model: &'a Model,
        extractor: &FeatureExtractor,
        context: &'a Context,
        windows: Vec<Window>,
    ) -> Result<Self, TranscribeError> {
        let whisper = model.whisper();
        let size = model.mels * context.frames;
        let mut features = vec![0.0; size * windows.len()];
        for (window, out) in windows.iter().zip(features.chunks_exact_mut(size)) {
            // The last frame is mostly the zeros appended; the reference leaves it out too.
            let used = (window.samples.len() / HOP).max(1);
            extractor.log_mel(&window.samples).fit_into(used, out, context.frames);
        }
        let encoded = {
            let shape = [windows.len(), model.mels, context.frames];
            let view = StorageView::new(&shape, &mut features, Device::CPU)
                .map_err(|error| TranscribeError::engine(&error))?;
            context.check()?;
            whisper.encode(&view, false).map_err(|error| TranscribeError::engine(&error))?
        };
        Ok(Self { model, whisper, context, windows, features, encoded })
    }

    fn hear_language(&self) -> Result<String, TranscribeError> {
        let heard = self.context.options.language_detection_segments.max(1);
        language::hear(self, heard)
    }

    /// The tokens before the transcript. Never `<|notimestamps|>`: cues need times, and timestamps keep
    /// the model from skipping.
    fn prompt(&self, language: &str, previous: &[usize]) -> Vec<String> {
        let mut prompt = Vec::new();
        let before = self.context.before(previous);
        if !before.is_empty() {
            prompt.push(START_OF_PREVIOUS.to_owned());
            prompt.extend(before.iter().map(|id| self.model.vocabulary.token(*id).to_owned()));
        }
        prompt.push(START_OF_TRANSCRIPT.to_owned());
        if self.model.is_multilingual() {
            prompt.push(format!("<|{language}|>"));
            prompt.push(self.context.options.task.token().to_owned());
        }
        prompt
    }

    /// The best text for each window, trying higher temperatures where the first looks wrong.
    fn attempts(&self, language: &str, previous: &[usize]) -> Result<Vec<Attempt>, TranscribeError> {
        let prompt = self.prompt(language, previous);
        let options = &self.context.options;
        let mut judgements: Vec<Judgement> = self.windows.iter().map(|_| Judgement::default()).collect();
        for &temperature in &options.temperature {
            let open: Vec<usize> = (0..judgements.len()).filter(|i| !judgements[*i].is_settled()).collect();
            if open.is_empty() {
                break;
            }
            self.context.check()?;
            let attempts = if open.len() == self.windows.len() {
                generate(self, &self.encoded, open.len(), &prompt, temperature)?
            } else {
                let mut features = self.features_of(&open);
                let shape = [open.len(), self.model.mels, self.context.frames];
                let view = StorageView::new(&shape, &mut features, Device::CPU)
                    .map_err(|error| TranscribeError::engine(&error))?;
                generate(self, &view, open.len(), &prompt, temperature)?
            };
            for (i, attempt) in open.into_iter().zip(attempts) {
                judgements[i].add(attempt, options);
            }
        }
        Ok(judgements.into_iter().map(Judgement::verdict).collect())
    }

    fn features_of(&self, windows: &[usize]) -> Vec<f32> {
        let size = self.model.mels * self.context.frames;
        windows.iter().flat_map(|i| &self.features[i * size..(i + 1) * size]).copied().collect()
    }

    /// The segments an attempt wrote, and the part of the window it did not get to.
    fn read(&self, window: &Window, attempt: &Attempt) -> (Vec<RawSegment>, Option<Window>) {
        let options = &self.context.options;
        if attempt.is_silence(options) {
            return (Vec::new(), None);
        }
        let length_ms = window.span.length_ms();
        let read = timestamps::read(&self.model.vocabulary, &attempt.tokens, length_ms);
        let resume_ms = window.span.start_ms + read.resume_ms;
        let left: u64 =
            window.speech.iter().map(|span| Span { start_ms: span.start_ms.max(resume_ms), ..*span }.length_ms()).sum();
        let resumes = read.resume_ms >= LEAST_PROGRESS_MS && left >= LEAST_LEFTOVER_MS;
        let mut segments = read.segments;
        if !resumes {
            segments.extend(read.unfinished);
        }
        for segment in &mut segments {
            segment.span.start_ms += window.span.start_ms;
            segment.span.end_ms += window.span.start_ms;
        }
        if !window.speech.is_empty() {
            // Text over a stretch in which nothing is loud enough to be speech is invented.
            segments.retain(|segment| window.speech.iter().any(|span| span.overlaps(segment.span)));
        }
        (segments, resumes.then(|| window.from(resume_ms)))
    }

    fn into_segments(
        self,
        language: &str,
        attempts: &[Attempt],
        written: Vec<Vec<RawSegment>>,
    ) -> Result<Vec<Segment>, TranscribeError> {
        let words = if self.context.options.word_timestamps && self.context.options.task == Task::Transcribe {
            words::align(&self, language, &written)?
        } else {
            written.iter().map(|raw| vec![Vec::new(); raw.len()]).collect()
        };
        let vocabulary = &self.model.vocabulary;
        let mut segments = Vec::new();
        for ((raw, words), attempt) in written.into_iter().zip(words).zip(attempts) {
            for (raw, words) in raw.into_iter().zip(words) {
                let text = vocabulary.text(&raw.tokens).trim().to_owned();
                if text.is_empty() || raw.span.length_ms() == 0 {
                    continue;
                }
                segments.push(Segment {
                    start_ms: raw.span.start_ms,
                    end_ms: raw.span.end_ms,
                    text,
                    avg_logprob: attempt.avg_logprob,
                    no_speech_prob: attempt.no_speech_prob,
                    compression_ratio: attempt.compression_ratio,
                    temperature: attempt.temperature,
                    words,
                });
            }
        }
        Ok(segments)
    }
}

impl Window {
    /// The window from `start_ms` on.
    fn from(&self, start_ms: u64) -> Self {
        let skipped = (start_ms - self.span.start_ms) * crate::audio::SAMPLES_PER_MS;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX).min(self.samples.len());
        Self {
            span: Span { start_ms, ..self.span },
            samples: self.samples[skipped..].to_vec(),
            speech: self.speech.iter().filter(|span| span.end_ms > start_ms).copied().collect(),
        }
    }
}

impl Context {
    /// Columns of the spectrogram for windows of so many seconds.
    pub(crate) fn frames_of(seconds: u32) -> usize {
        seconds as usize * FRAMES_PER_SECOND
    }

    /// The tokens before the transcript: as much as fits, of the hotwords the first, of the rest the last.
    fn before(&self, previous: &[usize]) -> Vec<usize> {
        let hotwords = &self.hotwords[..self.hotwords.len().min(PREVIOUS_TOKENS)];
        let text = [self.initial_prompt.as_slice(), previous].concat();
        let room = PREVIOUS_TOKENS - hotwords.len();
        [hotwords, &text[text.len().saturating_sub(room)..]].concat()
    }

    fn check(&self) -> Result<(), TranscribeError> {
        if self.abandoned.load(Ordering::Relaxed) { Err(TranscribeError::Cancelled) } else { Ok(()) }
    }
}
