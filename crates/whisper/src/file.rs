//! A whole file of any length, in constant memory: read once, and transcribed chunk by chunk while it is being read.

mod hearing;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::Path;

use ytcaption_domain::captions::{Transcript, UNDETERMINED};

use crate::Span;
use crate::audio::{self, AudioError, Pcm};
use crate::decode;
use crate::error::TranscribeError;
use crate::language::detect_language;
use crate::options::TranscribeOptions;
use crate::plan::{Chunks, PlanSettings, plan_chunks};
use crate::transcriber::{Progress, Transcriber};
use hearing::Hearing;

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

/// Length a chunk of a file should have when one process transcribes it: long enough for full batches, and short,
/// because each replica has one in memory.
const CHUNK_MS: u64 = 2 * 60 * 1000;

/// Transcribes the file at `path`, telling `progress` as [`Transcriber::transcribe`] does (times of the
/// whole file). Dropping the future, or `Break`, stops within a fraction of a second.
pub async fn transcribe_file(
    transcriber: &Transcriber,
    path: &Path,
    options: &TranscribeOptions,
    progress: &mut (dyn FnMut(Progress<'_>) -> ControlFlow<()> + Send),
) -> Result<FileTranscript, FileError> {
    transcriber.check(options)?;
    let mut options = options.clone();
    let mut chunks = Chunks::open(path, PlanSettings { target_chunk_ms: CHUNK_MS }).await?;
    let mut next = chunks.next().await?;
    if decode::is_open(options.language.as_deref()) && chunks.ending().is_none() {
        let duration_ms = match chunks.expected_ms() {
            Some(duration_ms) => duration_ms,
            None => plan_chunks(path, PlanSettings::default()).await?.duration_ms,
        };
        options.language = detect_language(transcriber, path, duration_ms, &options).await?;
    }
    let mut whole = Transcript { language: UNDETERMINED.to_owned(), duration_ms: 0, segments: Vec::new() };
    let mut running: VecDeque<Hearing> = VecDeque::new();
    loop {
        // One recording has one language: where none was heard before, the first speech decides, and the rest waits.
        // So it does for the window that the prefix is for.
        let in_turn = decode::is_open(options.language.as_deref()) || options.prefix.is_some();
        let side_by_side = if in_turn { 1 } else { transcriber.replicas() };
        while running.len() < side_by_side
            && let Some((chunk, pcm)) = next.take()
        {
            whole.duration_ms = chunk.end_ms;
            running.push_back(Hearing::start(transcriber, chunk, pcm, &options));
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
    let (done_ms, total_ms) = (whole.duration_ms, whole.duration_ms);
    if progress(Progress { done_ms, total_ms, segments: &[] }).is_break() {
        return Err(TranscribeError::Cancelled.into());
    }
    Ok(FileTranscript { transcript: whole, damage: chunks.ending().and_then(|ending| ending.damage.clone()) })
}

/// Transcribes one part of a whole file, such as [`audio::store`] writes; all times are those of the whole file, except
/// `total_ms` of the progress, which is the end of the part, and `duration_ms`, which is its length.
///
/// # Errors
/// [`AudioError::Incomplete`] if sound is missing that the file promises: a part without its words would look like silence.
pub async fn transcribe_chunk(
    transcriber: &Transcriber,
    path: &Path,
    chunk: Span,
    options: &TranscribeOptions,
    progress: &mut (dyn FnMut(Progress<'_>) -> ControlFlow<()> + Send),
) -> Result<Transcript, FileError> {
    let Pcm { samples: pcm, damage } = audio::decode(path, Some(chunk)).await?;
    if let Some(detail) = damage {
        return Err(AudioError::Incomplete { detail }.into());
    }
    // The prefix is for the beginning of the recording.
    let prefix = options.prefix.clone().filter(|_| chunk.start_ms == 0);
    let options = &TranscribeOptions { prefix, ..options.clone() };
    Ok(Hearing::start(transcriber, chunk, pcm, options).finish(chunk.end_ms, progress).await?)
}

#[cfg(test)]
mod tests;
