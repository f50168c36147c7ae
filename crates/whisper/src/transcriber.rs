//! The way in: samples to a transcript.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use ytcaption_domain::captions::{Segment, Transcript};

use crate::Span;
use crate::audio::{SAMPLES_PER_MS, samples_to_ms};
use crate::decode::{self, Batch, Context, Decoded, Window};
use crate::error::TranscribeError;
use crate::features::FeatureExtractor;
use crate::model::{Model, ModelError, ModelSettings};
use crate::options::{Task, TranscribeOptions};
use crate::silence;
use crate::windows;

/// How often a caller who waits for a batch is asked whether to go on.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// Language of a recording in which nobody speaks (ISO 639-2: undetermined).
pub const UNDETERMINED: &str = "und";

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
        Ok(Self { inner: Arc::new(Inner { model, extractor }) })
    }

    /// The name of the model's folder.
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
        if options.task == Task::Translate && !self.inner.model.is_multilingual() {
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
        let longest_s = options.chunk_length.unwrap_or(model.chunk_length_s).min(model.chunk_length_s);
        let mut run = Run {
            inner: &self.inner,
            pcm,
            waiting: windows_of(pcm, options, u64::from(longest_s) * 1000),
            context: Arc::new(self.context(options, longest_s)?),
            language: decode::resolve_language(model, options.language.as_deref())?,
            previous: Vec::new(),
            running: VecDeque::new(),
        };
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
        let language = run.language.unwrap_or_else(|| UNDETERMINED.to_owned());
        let _ = progress(Progress { done_ms: total_ms, total_ms, segments: &[] });
        Ok(Transcript { language, duration_ms: total_ms, segments })
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
        Ok(Context {
            hotwords: encode("hotwords", &options.hotwords)?,
            initial_prompt: encode("initial_prompt", &options.initial_prompt)?,
            options: options.clone(),
            frames: Context::frames_of(longest_s),
            suppress_tokens: suppress,
            abandoned: AtomicBool::new(false),
        })
    }
}

/// The stretches of `pcm` that go to the model, each with the speech in it.
fn windows_of(pcm: &[f32], options: &TranscribeOptions, limit_ms: u64) -> VecDeque<(Span, Vec<Span>)> {
    let mut map = silence::analyse(pcm, &options.vad_parameters);
    if !options.vad_filter {
        let end_ms = samples_to_ms(pcm.len() as u64);
        map.spans = if end_ms == 0 { Vec::new() } else { vec![Span { start_ms: 0, end_ms }] };
    }
    let speech_in = |window: Span| map.spans.iter().copied().filter(|s| s.overlaps(window)).collect();
    windows::pack(&map, limit_ms).into_iter().map(|window| (window, speech_in(window))).collect()
}

/// One call of [`Transcriber::transcribe`]: batches go to threads, so that the caller can be asked
/// meanwhile, and as many side by side as the model has replicas.
struct Run<'a> {
    inner: &'a Arc<Inner>,
    pcm: &'a [f32],
    context: Arc<Context>,
    waiting: VecDeque<(Span, Vec<Span>)>,
    language: Option<String>,
    previous: Vec<usize>,
    /// Results to come, with the time up to which each reaches.
    running: VecDeque<(Receiver<Result<Decoded, TranscribeError>>, u64)>,
}

impl Run<'_> {
    /// The next batch's result, in the order of time, and up to when it reaches.
    fn next(
        &mut self,
        heartbeat: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Option<(Decoded, u64)>, TranscribeError> {
        self.start_batches()?;
        let Some((result, end_ms)) = self.running.pop_front() else { return Ok(None) };
        loop {
            match result.recv_timeout(HEARTBEAT) {
                Ok(decoded) => {
                    let decoded = decoded.inspect_err(|_| self.abandon())?;
                    self.language = Some(decoded.language.clone());
                    self.previous.clone_from(&decoded.previous);
                    return Ok(Some((decoded, end_ms)));
                }
                Err(RecvTimeoutError::Timeout) => {
                    if heartbeat().is_break() {
                        self.abandon();
                        return Err(TranscribeError::Cancelled);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.abandon();
                    let reason = "a decoding thread died; the log says why".to_owned();
                    return Err(TranscribeError::Engine { reason });
                }
            }
        }
    }

    fn start_batches(&mut self) -> Result<(), TranscribeError> {
        let options = &self.context.options;
        let in_turn = options.condition_on_previous_text;
        // Until the language is known, and where each window needs the text before it, one at a time.
        let side_by_side = if in_turn || self.language.is_none() { 1 } else { self.inner.model.replicas() };
        let size = if in_turn { 1 } else { options.batch_size };
        while self.running.len() < side_by_side && !self.waiting.is_empty() {
            let next: Vec<_> = self.waiting.drain(..size.min(self.waiting.len())).collect();
            let windows: Vec<Window> = next.into_iter().map(|(span, speech)| self.window(span, speech)).collect();
            let end_ms = windows.last().map_or(0, |window| window.span.end_ms);
            let batch = Batch {
                windows,
                language: self.language.clone(),
                previous: if in_turn { std::mem::take(&mut self.previous) } else { Vec::new() },
            };
            let (inner, context) = (Arc::clone(self.inner), Arc::clone(&self.context));
            let (send, receive) = sync_channel(1);
            std::thread::Builder::new()
                .name("whisper-batch".to_owned())
                .spawn(move || {
                    let _ = send.send(decode::decode(&inner.model, &inner.extractor, &context, batch));
                })
                .map_err(|error| TranscribeError::engine(&error))?;
            self.running.push_back((receive, end_ms));
        }
        Ok(())
    }

    fn window(&self, span: Span, speech: Vec<Span>) -> Window {
        let sample = |ms: u64| usize::try_from(ms * SAMPLES_PER_MS).unwrap_or(usize::MAX).min(self.pcm.len());
        let samples = self.pcm[sample(span.start_ms)..sample(span.end_ms)].to_vec();
        Window { span, samples, speech }
    }

    fn abandon(&self) {
        self.context.abandoned.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
