//! One transcription: its batches, each on a thread of its own.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use ytcaption_domain::Span;
use ytcaption_media::{levels, samples_to_ms, vad};

use super::Inner;
use crate::clips;
use crate::decode::{self, Batch, Context, DecodedBatch, Window};
use crate::error::TranscribeError;
use crate::model::memory;
use crate::options::TranscribeOptions;
use crate::timing::{Step, measured};
use crate::windows::{self, Packed, Packing};

/// How often the caller is called while a batch is being computed, so that it can cancel.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// The windows of `pcm` that go to the model, each with the speech in it.
pub(super) fn find_windows(pcm: &[f32], options: &TranscribeOptions, limit_ms: u64) -> VecDeque<Packed> {
    let duration_ms = samples_to_ms(pcm.len() as u64);
    let mut speech = match options.vad_filter {
        true => measured(Step::Speech, || vad::detect_speech(pcm, &options.vad_parameters)),
        false if duration_ms == 0 => Vec::new(),
        false => vec![Span { start_ms: 0, end_ms: duration_ms }],
    };
    if let Some(seconds) = &options.clip_timestamps {
        speech = clips::within(&speech, &clips::parse_clips(seconds));
    }
    let packing = Packing { limit_ms, pad_ms: options.vad_parameters.speech_pad_ms, duration_ms };
    windows::pack(&speech, &levels::levels(pcm), packing).into()
}

/// One call of [`Transcriber::transcribe`]: batches go to threads, so that the caller can cancel meanwhile, as many side
/// by side as the model has replicas, which are shared with other calls.
pub(super) struct Run<'a> {
    inner: &'a Arc<Inner>,
    pcm: &'a [f32],
    context: Arc<Context>,
    waiting: VecDeque<Packed>,
    language: Option<String>,
    previous: Vec<usize>,
    /// The next window is the one that the prefix is for.
    prefixed: bool,
    /// Batches being computed, with the time up to which each reaches.
    running: VecDeque<(Receiver<Result<DecodedBatch, TranscribeError>>, u64)>,
}

impl<'a> Run<'a> {
    /// Finds the windows of `pcm`, each of at most `max_window_s` seconds; decodes nothing yet.
    pub(super) fn new(
        inner: &'a Arc<Inner>,
        pcm: &'a [f32],
        context: Context,
        language: Option<String>,
        max_window_s: u32,
    ) -> Self {
        let waiting = find_windows(pcm, &context.options, u64::from(max_window_s) * 1000);
        inner.runs.fetch_add(1, Ordering::Relaxed);
        Self {
            inner,
            pcm,
            waiting,
            prefixed: !context.prefix.is_empty(),
            context: Arc::new(context),
            language,
            previous: Vec::new(),
            running: VecDeque::new(),
        }
    }

    /// The language that was requested or detected, if any was.
    pub(super) fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// The next batch's result, in the order of time, and up to when it reaches.
    pub(super) fn next(
        &mut self,
        heartbeat: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Option<(DecodedBatch, u64)>, TranscribeError> {
        self.start_batches()?;
        let Some((result, end_ms)) = self.running.pop_front() else { return Ok(None) };
        loop {
            match result.recv_timeout(HEARTBEAT) {
                Ok(decoded) => {
                    let decoded = decoded.inspect_err(|_| self.cancel())?;
                    self.language = Some(decoded.language.clone());
                    self.previous.clone_from(&decoded.previous);
                    return Ok(Some((decoded, end_ms)));
                }
                Err(RecvTimeoutError::Timeout) => {
                    if heartbeat().is_break() {
                        self.cancel();
                        return Err(TranscribeError::Cancelled);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.cancel();
                    let reason = "a decoding thread panicked; the log says why".to_owned();
                    return Err(TranscribeError::Engine { reason });
                }
            }
        }
    }

    fn start_batches(&mut self) -> Result<(), TranscribeError> {
        let options = &self.context.options;
        let sequential = options.condition_on_previous_text;
        // Until the language is known, and where each window needs the text before it, one at a time.
        let side_by_side = if sequential || self.language.is_none() { 1 } else { self.inner.model.replicas() };
        let batch_size = if sequential { 1 } else { options.batch_size.unwrap_or(self.inner.model.batch_size) };
        while self.running.len() < side_by_side && !self.waiting.is_empty() {
            let share = (side_by_side / self.inner.runs.load(Ordering::Relaxed).max(1)).max(1);
            let prefixed = std::mem::take(&mut self.prefixed);
            let size = if prefixed { 1 } else { next_batch(self.waiting.len(), batch_size, share) };
            let next: Vec<_> = self.waiting.drain(..size).collect();
            let windows: Vec<Window> = next.into_iter().map(|packed| self.window(packed)).collect();
            let end_ms = windows.last().map_or(0, |window| window.span.end_ms);
            let batch = Batch {
                windows,
                language: self.language.clone(),
                previous: if sequential { std::mem::take(&mut self.previous) } else { Vec::new() },
                prefixed,
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

    fn window(&self, Packed { span, speech }: Packed) -> Window {
        Window::cut(self.pcm, span, speech)
    }

    /// Cancels the batches that are still being computed.
    pub(super) fn cancel(&self) {
        self.context.cancelled.store(true, Ordering::Relaxed);
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        if self.inner.runs.fetch_sub(1, Ordering::Relaxed) == 1 {
            memory::release();
        }
    }
}

/// How many of `waiting` windows go into the next batch: batches of equal size, as few as `batch_size` allows, but
/// enough for all replicas of this run's `share`, since at the end none should wait for another.
fn next_batch(waiting: usize, batch_size: usize, share: usize) -> usize {
    let batches = waiting.div_ceil(batch_size).max(share).min(waiting).max(1);
    waiting.div_ceil(batches)
}

#[cfg(test)]
mod tests {
    use super::next_batch;

    fn batches(mut waiting: usize, batch_size: usize, share: usize) -> Vec<usize> {
        let mut sizes = Vec::new();
        while waiting > 0 {
            sizes.push(next_batch(waiting, batch_size, share));
            waiting -= sizes[sizes.len() - 1];
        }
        sizes
    }

    #[test]
    fn batches_are_of_similar_size_and_keep_every_replica_busy_to_the_end() {
        assert_eq!(batches(10, 4, 1), [4, 3, 3]);
        assert_eq!(batches(4, 4, 2), [2, 1, 1]);
        assert_eq!(batches(12, 4, 2), [4, 4, 2, 1, 1]);
        assert_eq!(batches(3, 8, 16), [1, 1, 1]);
        assert_eq!(batches(1, 1, 1), [1]);
        assert!(batches(0, 4, 2).is_empty());
    }
}
