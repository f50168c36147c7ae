//! Windows that go through the model together.

use ytcaption_domain::captions::Segment;

use super::attempt::{Attempt, Judgement, generate};
use super::encoded::Encoded;
use super::{Context, RawSegment, Window, edges, language, timestamps, words};
use crate::error::TranscribeError;
use crate::features::{FeatureExtractor, HOP};
use crate::model::{Model, ReplicaGuard, memory};
use crate::timing::{Step, measured};
use crate::tokenizer::{START_OF_PREVIOUS, task_token};
use ytcaption_domain::Span;
use ytcaption_domain::job::Task;
use ytcaption_models::NO_TIMESTAMPS;

/// What a window left unwritten is decoded again only if the first pass got at least this far, …
const LEAST_PROGRESS_MS: u64 = 1_000;
/// … and only if at least this much speech is left.
const LEAST_LEFTOVER_MS: u64 = 1_000;

/// Windows that went through the encoder together.
pub(super) struct Round<'a> {
    pub(super) model: &'a Model,
    pub(super) engine: ReplicaGuard<'a>,
    pub(super) context: &'a Context,
    pub(super) windows: Vec<Window>,
    pub(super) encoded: Encoded,
}

impl<'a> Round<'a> {
    pub(super) fn encode(
        model: &'a Model,
        extractor: &FeatureExtractor,
        context: &'a Context,
        windows: Vec<Window>,
    ) -> Result<Self, TranscribeError> {
        let size = model.mels * context.frames;
        let mut features = vec![0.0; size * windows.len()];
        measured(Step::Features, || {
            for (window, out) in windows.iter().zip(features.chunks_exact_mut(size)) {
                // The last frame is mostly the zeros appended; the reference leaves it out too.
                let used = (window.samples.len() / HOP).max(1);
                extractor.log_mel(&window.samples).fit_into(used, out, context.frames);
            }
        });
        // Not earlier: what can be computed without the model is computed while others use it.
        let engine = model.acquire();
        memory::trim();
        context.check()?;
        let shape = [model.mels, context.frames];
        let encoded = measured(Step::Encoder, || Encoded::encode(&engine, model.on_card, features, shape))?;
        Ok(Self { model, engine, context, windows, encoded })
    }

    pub(super) fn hear_language(&self) -> Result<String, TranscribeError> {
        let heard = self.context.options.language_detection_segments.max(1);
        language::hear(self, heard)
    }

    /// The tokens before the transcript.
    fn prompt(&self, language: &str, previous: &[usize], prefix: &[usize]) -> Result<Vec<usize>, TranscribeError> {
        let vocabulary = &self.model.tokenizer.vocabulary;
        let special = |token: &str| {
            let missing = || TranscribeError::engine(format!("the model's vocabulary has no {token}"));
            vocabulary.id(token).ok_or_else(missing)
        };
        let mut prompt = Vec::new();
        let before = self.context.before(previous, prefix);
        if !before.is_empty() {
            prompt.push(special(START_OF_PREVIOUS)?);
            prompt.extend(before);
        }
        prompt.push(vocabulary.start_of_transcript());
        if self.model.multilingual {
            prompt.push(special(&format!("<|{language}|>"))?);
            prompt.push(special(task_token(self.context.options.task))?);
        }
        if self.context.options.without_timestamps {
            prompt.push(special(NO_TIMESTAMPS)?);
        } else if !prefix.is_empty() {
            prompt.push(vocabulary.timestamp_begin());
        }
        prompt.extend(prefix);
        Ok(prompt)
    }

    /// The best text for each window, trying higher temperatures where the first looks wrong.
    pub(super) fn attempts(
        &self,
        language: &str,
        previous: &[usize],
        prefix: &[usize],
    ) -> Result<Vec<Attempt>, TranscribeError> {
        let prompt = self.prompt(language, previous, prefix)?;
        let options = &self.context.options;
        let mut judgements: Vec<Judgement> = self.windows.iter().map(|_| Judgement::default()).collect();
        for &temperature in &options.temperature {
            let open: Vec<usize> = (0..judgements.len()).filter(|i| !judgements[*i].is_settled()).collect();
            if open.is_empty() {
                break;
            }
            self.context.check()?;
            let attempts = measured(Step::Decoder, || {
                self.encoded.with(&open, |view| generate(self, view, open.len(), &prompt, temperature))
            })?;
            for (i, attempt) in open.into_iter().zip(attempts) {
                judgements[i].add(attempt, options);
            }
        }
        Ok(judgements.into_iter().map(Judgement::verdict).collect())
    }

    /// The segments an attempt wrote, and the part of the window it did not get to.
    pub(super) fn read(&self, window: &Window, attempt: &Attempt) -> (Vec<RawSegment>, Option<Window>) {
        let options = &self.context.options;
        if attempt.is_silence(options) {
            return (Vec::new(), None);
        }
        let length_ms = window.span.length_ms();
        let read = timestamps::read(&self.model.tokenizer.vocabulary, &attempt.tokens, length_ms);
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
        if options.vad_filter {
            segments.retain_mut(|segment| {
                let trimmed = edges::trim(segment.span, &window.speech, options.vad_parameters.speech_pad_ms);
                segment.span = trimmed.unwrap_or(segment.span);
                trimmed.is_some()
            });
        }
        (segments, resumes.then(|| window.from(resume_ms)))
    }

    /// The windows and what was written for each, with the times of its words if they are wanted.
    pub(super) fn into_segments(
        self,
        language: &str,
        attempts: &[Attempt],
        written: Vec<Vec<RawSegment>>,
    ) -> Result<Vec<(Window, Vec<Segment>)>, TranscribeError> {
        let words = if self.context.options.word_timestamps && self.context.options.task == Task::Transcribe {
            measured(Step::Alignment, || words::align(&self, language, &written))?
        } else {
            written.iter().map(|raw| vec![Vec::new(); raw.len()]).collect()
        };
        let tokenizer = &self.model.tokenizer;
        let mut heard = Vec::new();
        for (((raw, words), attempt), window) in written.into_iter().zip(words).zip(attempts).zip(self.windows) {
            let mut segments = Vec::new();
            for (raw, words) in raw.into_iter().zip(words) {
                let text = tokenizer.text(&raw.tokens).trim().to_owned();
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
            heard.push((window, segments));
        }
        Ok(heard)
    }
}
