//! Windows that go through the model together, in this order: [`EncodedBatch::encode`],
//! [`EncodedBatch::detect_language`], [`EncodedBatch::generate`], [`EncodedBatch::split`], and
//! [`EncodedBatch::into_segments`], which aligns words.

mod align;
mod generate;
mod language;

use ytcaption_domain::Span;
use ytcaption_domain::captions::Segment;
use ytcaption_domain::job::Task;

use super::context::Context;
use super::encoder_output::EncoderOutput;
use super::hypothesis::Hypothesis;
use super::timestamps::{self, RawSegment};
use super::{Window, edges};
use crate::error::TranscribeError;
use crate::features::{FeatureExtractor, HOP};
use crate::model::{Model, ReplicaGuard, memory};
use crate::timing::{Step, measured};

/// The unwritten rest of a window is decoded again only if the first pass got at least this far, …
const MIN_PROGRESS_MS: u64 = 1_000;
/// … and only if at least this much speech is left.
const MIN_REST_MS: u64 = 1_000;

/// Windows that went through the encoder, and the replica that computes with them until this is dropped.
pub(super) struct EncodedBatch<'a> {
    model: &'a Model,
    engine: ReplicaGuard<'a>,
    context: &'a Context,
    windows: Vec<Window>,
    encoded: EncoderOutput,
}

impl<'a> EncodedBatch<'a> {
    /// Computes the spectrograms, waits for a replica, and encodes.
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
        context.check_cancelled()?;
        let shape = [model.mels, context.frames];
        let encoded = measured(Step::Encoder, || EncoderOutput::encode(&engine, model.on_card, features, shape))?;
        Ok(Self { model, engine, context, windows, encoded })
    }

    pub(super) fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The segments in a hypothesis, and the part of its window that it left unwritten.
    pub(super) fn split(&self, window: &Window, hypothesis: &Hypothesis) -> (Vec<RawSegment>, Option<Window>) {
        let options = &self.context.options;
        if hypothesis.is_silence(options) {
            return (Vec::new(), None);
        }
        let length_ms = window.span.length_ms();
        let parsed = timestamps::parse(&self.model.tokenizer.vocabulary, &hypothesis.tokens, length_ms);
        let resume_ms = window.span.start_ms + parsed.resume_ms;
        let rest_ms: u64 =
            window.speech.iter().map(|span| Span { start_ms: span.start_ms.max(resume_ms), ..*span }.length_ms()).sum();
        let resumes = parsed.resume_ms >= MIN_PROGRESS_MS && rest_ms >= MIN_REST_MS;
        let mut segments = parsed.segments;
        if !resumes {
            segments.extend(parsed.unfinished);
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
        (segments, resumes.then(|| window.starting_at(resume_ms)))
    }

    /// Each window with its segments, which have words if they were requested.
    pub(super) fn into_segments(
        self,
        language: &str,
        hypotheses: &[Hypothesis],
        written: Vec<Vec<RawSegment>>,
    ) -> Result<Vec<(Window, Vec<Segment>)>, TranscribeError> {
        let words = if self.context.options.word_timestamps && self.context.options.task == Task::Transcribe {
            measured(Step::Alignment, || self.align(language, &written))?
        } else {
            written.iter().map(|raw| vec![Vec::new(); raw.len()]).collect()
        };
        let tokenizer = &self.model.tokenizer;
        let mut decoded = Vec::new();
        for (((raw, words), hypothesis), window) in written.into_iter().zip(words).zip(hypotheses).zip(self.windows) {
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
                    avg_logprob: hypothesis.avg_logprob,
                    no_speech_prob: hypothesis.no_speech_prob,
                    compression_ratio: hypothesis.compression_ratio,
                    temperature: hypothesis.temperature,
                    words,
                });
            }
            decoded.push((window, segments));
        }
        Ok(decoded)
    }
}
