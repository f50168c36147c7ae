//! A chunk that is being transcribed on a thread of its own.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use ytcaption_domain::captions::{Segment, Transcript};

use crate::error::TranscribeError;
use crate::options::TranscribeOptions;
use crate::transcriber::{Progress, Transcriber};
use crate::{Span, clips};

/// How often a caller who waits for news is asked whether to go on.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// Ends by itself, and soon, when it is dropped.
pub(super) struct Hearing {
    chunk: Span,
    /// Up to when it is written down, and what was written; all of it fits into memory, as the transcript must.
    news: UnboundedReceiver<(u64, Vec<Segment>)>,
    work: JoinHandle<Result<Transcript, TranscribeError>>,
}

impl Hearing {
    pub(super) fn start(transcriber: &Transcriber, chunk: Span, pcm: Vec<f32>, options: &TranscribeOptions) -> Self {
        let (transcriber, mut options) = (transcriber.clone(), options.clone());
        let clips = options.clip_timestamps.take();
        options.clip_timestamps = clips.map(|seconds| clips::of_chunk(&seconds, chunk.start_ms));
        let (send, news) = unbounded_channel();
        let work = tokio::task::spawn_blocking(move || {
            let mut last_ms = 0;
            transcriber.transcribe(&pcm, &options, &mut |progress| {
                let is_news = progress.done_ms > std::mem::replace(&mut last_ms, progress.done_ms);
                let told = if is_news || !progress.segments.is_empty() {
                    let shifted = shift(progress.segments.to_vec(), chunk.start_ms);
                    send.send((progress.done_ms + chunk.start_ms, shifted)).is_ok()
                } else {
                    !send.is_closed()
                };
                // Nobody listens when the caller said stop or was dropped.
                if told { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
        });
        Self { chunk, news, work }
    }

    /// Tells `progress` what there is to tell until all is written.
    pub(super) async fn finish(
        mut self,
        total_ms: u64,
        progress: &mut (dyn FnMut(Progress<'_>) -> ControlFlow<()> + Send),
    ) -> Result<Transcript, TranscribeError> {
        let mut done_ms = self.chunk.start_ms;
        loop {
            let segments = match timeout(HEARTBEAT, self.news.recv()).await {
                Ok(None) => break,
                Ok(Some((up_to_ms, segments))) => {
                    done_ms = up_to_ms;
                    segments
                }
                Err(_) => Vec::new(),
            };
            if progress(Progress { done_ms, total_ms, segments: &segments }).is_break() {
                drop(self.news);
                // The last words may have been written before the stop was heard: they do not count.
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
