//! Samples to a transcript.

mod language;
mod run;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use ytcaption_domain::captions::{Segment, Transcript, UNDETERMINED};
use ytcaption_domain::job::Task;
use ytcaption_media::samples_to_ms;
use ytcaption_models::ModelSettings;

use run::Run;

use crate::decode::{self, Context};
use crate::error::TranscribeError;
use crate::features::FeatureExtractor;
use crate::model::{LoadError, Model};
use crate::options::TranscribeOptions;

/// How far a transcription is. It is also reported without news, about five times a second.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Milliseconds of the audio that are transcribed.
    pub done_ms: u64,
    /// Length of the audio in milliseconds.
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
        f.debug_struct("Transcriber").field("model", &self.inner.model.name).finish_non_exhaustive()
    }
}

impl Transcriber {
    /// Checks and loads the CTranslate2 Whisper model in `dir`. Blocks for as long as reading it takes.
    ///
    /// # Errors
    /// The files are not those of a usable Whisper model, this machine or program cannot compute as `settings` say, or
    /// CTranslate2 fails.
    pub fn load(dir: &Path, settings: &ModelSettings) -> Result<Self, LoadError> {
        let model = Model::load(dir, settings)?;
        let extractor = FeatureExtractor::new(model.mels);
        tracing::info!(model = model.name, languages = model.languages.len(), mels = model.mels, "model loaded");
        Ok(Self { inner: Arc::new(Inner { model, extractor, runs: AtomicUsize::new(0) }) })
    }

    /// Whether both are the same loaded model.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Whether another clone of this exists, be it in an abandoned batch that is still being computed.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.inner) > 1
    }

    /// How many batches can be decoded at the same time.
    pub fn replicas(&self) -> usize {
        self.inner.model.replicas()
    }

    /// The model's name, see [`ytcaption_models::model_name`].
    pub fn model_name(&self) -> String {
        self.inner.model.name.clone()
    }

    /// ISO 639 codes of the languages the model understands.
    pub fn languages(&self) -> Vec<String> {
        self.inner.model.languages.clone()
    }

    /// Checks whether the options fit this model; [`Transcriber::transcribe`] does so first.
    ///
    /// # Errors
    /// The model does not know the language or cannot translate, or an option has an invalid value.
    pub fn check(&self, options: &TranscribeOptions) -> Result<(), TranscribeError> {
        self.inner.model.resolve_language(options.language.as_deref())?;
        if options.task == Task::Translate && !self.inner.model.can_translate() {
            return Err(TranscribeError::CannotTranslate);
        }
        options.check()
    }

    /// Transcribes 16 kHz mono samples, each within −1.0 … 1.0. Times count from the first sample.
    ///
    /// Blocks, for minutes with a large model: call it where that is allowed. `progress` is called about five times a
    /// second; `Break` makes this return at once (the batch that is being computed ends on a thread of its own, and is
    /// dropped).
    ///
    /// # Errors
    /// As [`Transcriber::check`]; [`TranscribeError::Cancelled`] after `Break`; [`TranscribeError::Engine`] if
    /// CTranslate2 fails.
    pub fn transcribe(
        &self,
        pcm: &[f32],
        options: &TranscribeOptions,
        progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<Transcript, TranscribeError> {
        self.check(options)?;
        let model = &self.inner.model;
        let total_ms = samples_to_ms(pcm.len() as u64);
        let max_window_s = self.max_window_s(options);
        let requested = model.resolve_language(options.language.as_deref())?;
        let context = self.context(options, max_window_s)?;
        let mut run = Run::new(&self.inner, pcm, context, requested.clone(), max_window_s);
        let mut segments: Vec<Segment> = Vec::new();
        let mut done_ms = 0;
        while let Some((decoded, end_ms)) = run.next(&mut || progress(Progress { done_ms, total_ms, segments: &[] }))? {
            done_ms = end_ms;
            let known = segments.len();
            segments.extend(decoded.segments);
            let update = Progress { done_ms, total_ms, segments: &segments[known..] };
            if progress(update).is_break() {
                run.cancel();
                return Err(TranscribeError::Cancelled);
            }
        }
        // A language detected in what turned out not to be speech means nothing.
        let detected = run.language().filter(|_| !segments.is_empty()).map(str::to_owned);
        let language = requested.or(detected).unwrap_or_else(|| UNDETERMINED.to_owned());
        let _ = progress(Progress { done_ms: total_ms, total_ms, segments: &[] });
        Ok(Transcript { language, duration_ms: total_ms, segments })
    }

    /// Longest window, in seconds.
    fn max_window_s(&self, options: &TranscribeOptions) -> u32 {
        let known = self.inner.model.chunk_length_s;
        options.chunk_length.unwrap_or(known).min(known)
    }

    fn context(&self, options: &TranscribeOptions, max_window_s: u32) -> Result<Context, TranscribeError> {
        let tokenizer = &self.inner.model.tokenizer;
        let to_i32 = |id: usize| i32::try_from(id).unwrap_or(i32::MAX);
        let mut suppress: Vec<i32> = options.suppress_tokens.iter().copied().filter(|id| *id >= 0).collect();
        if options.suppress_tokens.contains(&-1) {
            suppress.extend(tokenizer.non_speech_tokens().into_iter().map(to_i32));
        }
        // faster-whisper suppresses these too: the model must not begin another task in the middle.
        let markers = [
            "<|transcribe|>",
            "<|translate|>",
            "<|startoftranscript|>",
            "<|startofprev|>",
            "<|startoflm|>",
            "<|nospeech|>",
            "<|nocaptions|>",
        ];
        suppress.extend(markers.iter().filter_map(|token| tokenizer.vocabulary.id(token)).map(to_i32));
        suppress.sort_unstable();
        suppress.dedup();
        let encode = |option, text: &Option<String>| match text.as_deref().map(str::trim) {
            None | Some("") => Ok(Vec::new()),
            // Like every other word, the first one has a space before it.
            Some(text) => tokenizer.encode(&format!(" {text}")).ok_or(TranscribeError::InvalidOption {
                option,
                reason: "needs a tokenizer.json in the model's directory",
            }),
        };
        let mut prefix = encode("prefix", &options.prefix)?;
        prefix.truncate(decode::PREVIOUS_TOKENS);
        Ok(Context {
            prefix,
            hotwords: encode("hotwords", &options.hotwords)?,
            initial_prompt: encode("initial_prompt", &options.initial_prompt)?,
            options: options.clone(),
            frames: Context::frames(max_window_s),
            suppress_tokens: suppress,
            cancelled: AtomicBool::new(false),
        })
    }
}

#[cfg(test)]
mod tests;
