//! The way in: samples to a transcript.

mod language;
mod run;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use ytcaption_domain::captions::{Segment, Transcript, UNDETERMINED};

use run::Run;

use crate::audio::samples_to_ms;
use crate::decode::{self, Context};
use crate::error::TranscribeError;
use crate::features::FeatureExtractor;
use crate::model::{Model, ModelError, ModelSettings};
use crate::options::{Task, TranscribeOptions};

/// How far a transcription is. Also sent without news, a few times a second, as a heartbeat.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Milliseconds of the recording that are done.
    pub done_ms: u64,
    /// Milliseconds of the recording.
    pub total_ms: u64,
    /// Segments written since the last call, in the order of time.
    pub segments: &'a [Segment],
}

/// A loaded model, ready to transcribe. Clones share it, threads may use it side by side.
#[derive(Clone)]
pub struct Transcriber {
    inner: Arc<Inner>,
}

struct Inner {
    model: Model,
    extractor: FeatureExtractor,
    /// Transcriptions that share the replicas now.
    runs: AtomicUsize,
}

impl std::fmt::Debug for Transcriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transcriber").field("model", &self.model_name()).finish_non_exhaustive()
    }
}

impl Transcriber {
    /// Checks and loads a CTranslate2 Whisper folder. Blocks for as long as reading it takes.
    pub fn load(dir: &Path, settings: &ModelSettings) -> Result<Self, ModelError> {
        let model = Model::load(dir, settings)?;
        let extractor = FeatureExtractor::new(model.mels);
        tracing::info!(model = model.name(), languages = model.languages.len(), mels = model.mels, "model loaded");
        Ok(Self { inner: Arc::new(Inner { model, extractor, runs: AtomicUsize::new(0) }) })
    }

    /// Whether both are the same model in memory.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Whether a clone of this lives elsewhere, be it in a batch that nobody waits for any more.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.inner) > 1
    }

    /// How many batches can be decoded at the same time.
    pub fn replicas(&self) -> usize {
        self.inner.model.replicas()
    }

    /// What people call the model.
    pub fn model_name(&self) -> String {
        self.inner.model.name()
    }

    /// ISO 639 codes of the languages the model understands.
    pub fn languages(&self) -> Vec<String> {
        match self.inner.model.languages.as_slice() {
            [] => vec!["en".to_owned()],
            languages => languages.to_vec(),
        }
    }

    /// Whether the options fit this model; also the first thing [`Transcriber::transcribe`] does.
    pub fn check(&self, options: &TranscribeOptions) -> Result<(), TranscribeError> {
        decode::resolve_language(&self.inner.model, options.language.as_deref())?;
        if options.task == Task::Translate && !self.inner.model.can_translate() {
            return Err(TranscribeError::CannotTranslate);
        }
        options.check()
    }

    /// Transcribes 16 kHz mono samples. Times count from the first sample.
    ///
    /// Blocks, for minutes with a large model: call it where that is allowed. `progress` is called a few
    /// times a second; `Break` makes this return [`TranscribeError::Cancelled`] at once (the batch that is
    /// being computed ends on a thread of its own, and is thrown away).
    pub fn transcribe(
        &self,
        pcm: &[f32],
        options: &TranscribeOptions,
        progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<Transcript, TranscribeError> {
        self.check(options)?;
        let model = &self.inner.model;
        let total_ms = samples_to_ms(pcm.len() as u64);
        let longest_s = self.longest_s(options);
        let asked = decode::resolve_language(model, options.language.as_deref())?;
        let context = self.context(options, longest_s)?;
        let mut run = Run::new(&self.inner, pcm, context, asked.clone(), longest_s);
        let mut segments: Vec<Segment> = Vec::new();
        let mut done_ms = 0;
        while let Some((decoded, end_ms)) = run.next(&mut || progress(Progress { done_ms, total_ms, segments: &[] }))? {
            done_ms = end_ms;
            let news = segments.len();
            segments.extend(decoded.segments);
            let heard = Progress { done_ms, total_ms, segments: &segments[news..] };
            if progress(heard).is_break() {
                run.abandon();
                return Err(TranscribeError::Cancelled);
            }
        }
        // A language heard in what turned out to be no speech means nothing.
        let heard = run.language().filter(|_| !segments.is_empty()).map(str::to_owned);
        let language = asked.or(heard).unwrap_or_else(|| UNDETERMINED.to_owned());
        let _ = progress(Progress { done_ms: total_ms, total_ms, segments: &[] });
        Ok(Transcript { language, duration_ms: total_ms, segments })
    }

    /// Length of a window, in seconds.
    fn longest_s(&self, options: &TranscribeOptions) -> u32 {
        let known = self.inner.model.chunk_length_s;
        options.chunk_length.unwrap_or(known).min(known)
    }

    fn context(&self, options: &TranscribeOptions, longest_s: u32) -> Result<Context, TranscribeError> {
        let vocabulary = &self.inner.model.vocabulary;
        let to_i32 = |id: usize| i32::try_from(id).unwrap_or(i32::MAX);
        let mut suppress: Vec<i32> = options.suppress_tokens.iter().copied().filter(|id| *id >= 0).collect();
        if options.suppress_tokens.contains(&-1) {
            suppress.extend(vocabulary.non_speech_tokens().into_iter().map(to_i32));
        }
        // faster-whisper forbids these too: the model must not begin something else in the middle.
        let markers = [
            "<|transcribe|>",
            "<|translate|>",
            "<|startoftranscript|>",
            "<|startofprev|>",
            "<|startoflm|>",
            "<|nospeech|>",
            "<|nocaptions|>",
        ];
        suppress.extend(markers.iter().filter_map(|token| vocabulary.id(token)).map(to_i32));
        suppress.sort_unstable();
        suppress.dedup();
        let encode = |option, text: &Option<String>| match text.as_deref().map(str::trim) {
            None | Some("") => Ok(Vec::new()),
            // The space makes the first word one like any other.
            Some(text) => self
                .inner
                .model
                .encode(&format!(" {text}"))
                .ok_or(TranscribeError::BadOption { option, reason: "needs a tokenizer.json in the model's folder" }),
        };
        let mut prefix = encode("prefix", &options.prefix)?;
        prefix.truncate(decode::PREVIOUS_TOKENS);
        Ok(Context {
            prefix,
            hotwords: encode("hotwords", &options.hotwords)?,
            initial_prompt: encode("initial_prompt", &options.initial_prompt)?,
            options: options.clone(),
            frames: Context::frames_of(longest_s),
            suppress_tokens: suppress,
            abandoned: AtomicBool::new(false),
        })
    }
}

#[cfg(test)]
mod tests;
