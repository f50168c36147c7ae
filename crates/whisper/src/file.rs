//! A whole file of any length, in constant memory: plan, then decode and transcribe chunk by chunk.

use std::ops::ControlFlow;
use std::path::Path;

use tokio::sync::mpsc;
use ytcaption_domain::captions::{Segment, Transcript, UNDETERMINED};

use crate::Span;
use crate::audio::{self, AudioError};
use crate::decode;
use crate::error::TranscribeError;
use crate::language::detect_language;
use crate::options::TranscribeOptions;
use crate::plan::{PlanSettings, plan_chunks};
use crate::transcriber::{Progress, Transcriber};

/// A file written down.
#[derive(Debug, Clone)]
pub struct FileTranscript {
    /// What was said.
    pub transcript: Transcript,
    /// What is wrong with the file although it could be transcribed, such as an end cut off.
    pub damage: Option<String>,
}

/// Why a file was not transcribed.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// The model or the options.
    #[error(transparent)]
    Transcribe(#[from] TranscribeError),
}

/// Transcribes the file at `path`, telling `progress` as [`Transcriber::transcribe`] does (times of the
/// whole file). Dropping the future, or `Break`, stops within a fraction of a second.
pub async fn transcribe_file(
    transcriber: &Transcriber,
    path: &Path,
    options: &TranscribeOptions,
    progress: &mut (dyn FnMut(Progress<'_>) -> ControlFlow<()> + Send),
) -> Result<FileTranscript, FileError> {
    transcriber.check(options)?;
    let plan = plan_chunks(path, &PlanSettings::default()).await?;
    let mut options = options.clone();
    if plan.chunks.len() > 1 && decode::is_open(options.language.as_deref()) {
        options.language = detect_language(transcriber, path, plan.duration_ms, &options).await?;
    }
    let mut whole =
        Transcript { language: UNDETERMINED.to_owned(), duration_ms: plan.duration_ms, segments: Vec::new() };
    for chunk in plan.chunks {
        let total_ms = plan.duration_ms;
        let mut tell = |news: Progress<'_>| progress(Progress { total_ms, ..news });
        let part = transcribe_chunk(transcriber, path, chunk, &options, &mut tell).await?;
        if part.language != UNDETERMINED {
            whole.language.clone_from(&part.language);
            // One recording has one language: where none was heard before, the first speech decides.
            options.language = Some(part.language);
        }
        whole.segments.extend(part.segments);
    }
    Ok(FileTranscript { transcript: whole, damage: plan.damage })
}

/// Transcribes one part of a file; all times are those of the whole file, except
/// `total_ms` of the progress, which is the end of the part, and `duration_ms`, which is its length.
pub async fn transcribe_chunk(
    transcriber: &Transcriber,
    path: &Path,
    chunk: Span,
    options: &TranscribeOptions,
    progress: &mut (dyn FnMut(Progress<'_>) -> ControlFlow<()> + Send),
) -> Result<Transcript, FileError> {
    let pcm = audio::decode(path, Some(chunk)).await?.samples;
    let (transcriber, options) = (transcriber.clone(), options.clone());
    let (send, mut news) = mpsc::channel::<(u64, Vec<Segment>)>(1);
    let work = tokio::task::spawn_blocking(move || {
        transcriber.transcribe(&pcm, &options, &mut |progress| {
            let shifted = shift(progress.segments.to_vec(), chunk.start_ms);
            // The receiver is gone when the caller said stop or was dropped.
            match send.blocking_send((progress.done_ms + chunk.start_ms, shifted)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })
    });
    let mut stopped = false;
    while let Some((done_ms, segments)) = news.recv().await {
        let heard = Progress { done_ms, total_ms: chunk.end_ms, segments: &segments };
        if progress(heard).is_break() {
            stopped = true;
            break;
        }
    }
    drop(news);
    let mut transcript = work.await.map_err(|error| TranscribeError::engine(&error))??;
    // The last words may have been written before the stop was heard.
    if stopped {
        return Err(TranscribeError::Cancelled.into());
    }
    transcript.segments = shift(transcript.segments, chunk.start_ms);
    Ok(transcript)
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

#[cfg(test)]
mod tests;
