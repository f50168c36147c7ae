//! Transcribing a file of any length in constant memory: it is read once, and transcribed chunk by chunk meanwhile.

mod chunk_task;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use ytcaption_domain::Span;
use ytcaption_domain::captions::{Transcript, UNDETERMINED};
use ytcaption_media::{ChosenTrack, ChunkReader, MediaError, MediaInput, Pcm, PlanSettings, plan_chunks};

use crate::error::{FileError, TranscribeError};
use crate::language::detect_language;
use crate::model::is_auto;
use crate::options::TranscribeOptions;
use crate::timing::{self, Step};
use crate::transcriber::{Progress, Transcriber};
use chunk_task::ChunkTask;

/// The transcript of a file.
#[derive(Debug, Clone)]
pub struct FileTranscript {
    /// Its segments; times count from the start of the file.
    pub transcript: Transcript,
    /// Why the file counts as truncated although it could be transcribed; `None` if it is whole.
    pub truncation: Option<String>,
    /// The audio track that was transcribed.
    pub track: ChosenTrack,
}

/// Length a chunk of a file should have when one process transcribes it: long enough for full batches, and short,
/// because each replica has one in memory.
const CHUNK_MS: u64 = 2 * 60 * 1000;

/// Transcribes a file and calls `progress` as [`Transcriber::transcribe`] does (times of the whole file).
/// Dropping the future, or `Break`, stops within a fraction of a second.
///
/// # Errors
/// The file cannot be read or has no (such) audio track, the options do not fit the model, or the engine fails;
/// [`TranscribeError::Cancelled`] after `Break`.
pub async fn transcribe_file(
    transcriber: &Transcriber,
    input: impl Into<MediaInput<'_>>,
    options: &TranscribeOptions,
    progress: &mut (dyn FnMut(Progress<'_>) -> ControlFlow<()> + Send),
) -> Result<FileTranscript, FileError> {
    transcriber.check(options)?;
    let input = input.into();
    let mut options = options.clone();
    let mut chunks = ChunkReader::open(input, PlanSettings { target_chunk_ms: CHUNK_MS }).await?;
    let mut next = chunks.next().await?;
    if is_auto(options.language.as_deref()) && chunks.end().is_none() {
        let duration_ms = if let Some(duration_ms) = chunks.expected_ms() {
            duration_ms
        } else {
            let started = Instant::now();
            let plan = plan_chunks(input, PlanSettings::default()).await?;
            timing::record(Step::Audio, started.elapsed());
            plan.duration_ms
        };
        options.language = detect_language(transcriber, input, duration_ms, &options).await?;
    }
    let mut whole = Transcript { language: UNDETERMINED.to_owned(), duration_ms: 0, segments: Vec::new() };
    let mut running: VecDeque<ChunkTask> = VecDeque::new();
    loop {
        // A file has one language: where none was detected before, the first speech decides, and the rest waits. It
        // also waits for the window that the prefix is for.
        let in_turn = is_auto(options.language.as_deref()) || options.prefix.is_some();
        let side_by_side = if in_turn { 1 } else { transcriber.replicas() };
        while running.len() < side_by_side
            && let Some((chunk, pcm)) = next.take()
        {
            whole.duration_ms = chunk.end_ms;
            running.push_back(ChunkTask::start(transcriber, chunk, pcm, &options));
            next = chunks.next().await?;
        }
        let Some(first) = running.pop_front() else { break };
        let part = first.finish(chunks.expected_ms().unwrap_or(whole.duration_ms), progress).await?;
        if part.language != UNDETERMINED {
            whole.language.clone_from(&part.language);
            options.language = Some(part.language);
        }
        if !part.segments.is_empty() {
            options.prefix = None;
        }
        whole.segments.extend(part.segments);
    }
    if let Some(end) = chunks.end() {
        timing::record(Step::Audio, end.waited);
    }
    let (done_ms, total_ms) = (whole.duration_ms, whole.duration_ms);
    if progress(Progress { done_ms, total_ms, segments: &[] }).is_break() {
        return Err(TranscribeError::Cancelled.into());
    }
    let truncation = chunks.end().and_then(|end| end.truncation.clone());
    Ok(FileTranscript { transcript: whole, truncation, track: chunks.track().clone() })
}

/// Transcribes one chunk of a file, such as [`ytcaption_media::convert_to_flac`] writes; all times are those of the whole
/// file, except `total_ms` of the progress, which is the end of the chunk, and `duration_ms`, which is its length.
///
/// # Errors
/// [`MediaError::Incomplete`] if audio is missing that the file's headers promise: a chunk without its words would look
/// like silence. Else as [`transcribe_file`].
pub async fn transcribe_chunk(
    transcriber: &Transcriber,
    path: &Path,
    chunk: Span,
    options: &TranscribeOptions,
    progress: &mut (dyn FnMut(Progress<'_>) -> ControlFlow<()> + Send),
) -> Result<Transcript, FileError> {
    let Pcm { samples: pcm, truncation, waited } = ytcaption_media::decode(path, Some(chunk)).await?;
    timing::record(Step::Audio, waited);
    if let Some(detail) = truncation {
        return Err(MediaError::Incomplete { detail }.into());
    }
    // The prefix is for the beginning of the file.
    let prefix = options.prefix.clone().filter(|_| chunk.start_ms == 0);
    let options = &TranscribeOptions { prefix, ..options.clone() };
    Ok(ChunkTask::start(transcriber, chunk, pcm, options).finish(chunk.end_ms, progress).await?)
}

#[cfg(test)]
mod tests;
