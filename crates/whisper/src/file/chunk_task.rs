//! Transcribing one chunk on a thread of its own.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use ytcaption_domain::Span;
use ytcaption_domain::captions::{Segment, Transcript};

use crate::clips;
use crate::error::TranscribeError;
use crate::options::TranscribeOptions;
use crate::transcriber::{Progress, Transcriber};

/// How often `progress` is called when there is no news, so that the caller can cancel.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// A chunk that is being transcribed. The work stops soon after this is dropped.
pub(super) struct ChunkTask {
    chunk: Span,
    /// How far the transcription is, in milliseconds, and its new segments; unbounded, since all segments fit into memory
    /// as the transcript does.
    updates: UnboundedReceiver<(u64, Vec<Segment>)>,
    work: JoinHandle<Result<Transcript, TranscribeError>>,
}

impl ChunkTask {
    pub(super) fn start(transcriber: &Transcriber, chunk: Span, pcm: Vec<f32>, options: &TranscribeOptions) -> Self {
        let (transcriber, mut options) = (transcriber.clone(), options.clone());
        let clips = options.clip_timestamps.take();
        options.clip_timestamps = clips.map(|seconds| clips::for_chunk(&seconds, chunk.start_ms));
        let (sender, updates) = unbounded_channel();
        let work = tokio::task::spawn_blocking(move || {
            let mut last_ms = 0;
            transcriber.transcribe(&pcm, &options, &mut |progress| {
                let is_news = progress.done_ms > std::mem::replace(&mut last_ms, progress.done_ms);
                let sent = if is_news || !progress.segments.is_empty() {
                    let shifted = shift(progress.segments.to_vec(), chunk.start_ms);
                    sender.send((progress.done_ms + chunk.start_ms, shifted)).is_ok()
                } else {
                    !sender.is_closed()
                };
                // The receiver is gone when the caller cancelled or was dropped.
                if sent { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
        });
        Self { chunk, updates, work }
    }

    /// Calls `progress` with every update until the chunk is transcribed.
    pub(super) async fn finish(
        mut self,
        total_ms: u64,
        progress: &mut (dyn FnMut(Progress<'_>) -> ControlFlow<()> + Send),
    ) -> Result<Transcript, TranscribeError> {
        let mut done_ms = self.chunk.start_ms;
        loop {
            let segments = match timeout(HEARTBEAT, self.updates.recv()).await {
                Ok(None) => break,
                Ok(Some((up_to_ms, segments))) => {
                    done_ms = up_to_ms;
                    segments
                }
                Err(_) => Vec::new(),
            };
            if progress(Progress { done_ms, total_ms, segments: &segments }).is_break() {
                drop(self.updates);
                // The last segments may have been written before the cancellation: they are dropped.
                let _ = self.work.await;
                return Err(TranscribeError::Cancelled);
            }
        }
        let mut transcript = self.work.await.map_err(|error| TranscribeError::engine(&error))??;
        transcript.segments = shift(transcript.segments, self.chunk.start_ms);
        Ok(transcript)
    }
}

fn shift(mut segments: Vec<Segment>, by_ms: u64) -> Vec<Segment> {
    for segment in &mut segments {
        segment.start_ms += by_ms;
        segment.end_ms += by_ms;
        for word in &mut segment.words {
            word.start_ms += by_ms;
            word.end_ms += by_ms;
        }
    }
    segments
}
