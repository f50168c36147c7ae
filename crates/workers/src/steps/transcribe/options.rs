//! The options of a transcription: what the job requests, and what all its chunks share.

use std::path::Path;

use ytcaption_domain::job::{Job, JobCommand};
use ytcaption_domain::language::AUTO;
use ytcaption_whisper::{TranscribeOptions, Transcriber, detect_language};

use super::ChunkAttempt;
use crate::steps::error::StepError;

/// The options that the job requests, and the defaults for the rest.
pub(super) fn requested(job: &Job, beam_size: usize) -> TranscribeOptions {
    let requested = job.transcription.clone();
    let default = TranscribeOptions { beam_size, ..TranscribeOptions::default() };
    TranscribeOptions {
        language: Some(requested.language).filter(|language| language != AUTO),
        task: requested.task,
        initial_prompt: requested.initial_prompt,
        hotwords: requested.hotwords,
        word_timestamps: requested.word_timestamps.unwrap_or(default.word_timestamps),
        ..default
    }
}

/// The language of a chunk: the requested one, or the one that was detected in the media. A worker that finds it unknown
/// detects it in all of the audio and records it in the job, which keeps the first that is recorded. `None` if the job has
/// only this chunk, or no speech was detected: then transcribing the chunk detects it.
pub(super) async fn language(
    attempt: &ChunkAttempt<'_>,
    job: &Job,
    model: &Transcriber,
    audio: &Path,
    options: &TranscribeOptions,
) -> Result<Option<String>, StepError> {
    if let Some(known) = job.language() {
        return Ok(Some(known.to_owned()));
    }
    if job.chunks.len() == 1 {
        return Ok(None);
    }
    let duration_ms = job.audio.as_ref().map_or(0, |audio| audio.duration_ms);
    let Some(language) = detect_language(model, audio, duration_ms, options).await? else {
        return Ok(None);
    };
    tracing::info!(language, "the language of the media was detected");
    let recorded = attempt.execute(JobCommand::RecordLanguage { language }).await?;
    Ok(recorded.aggregate.language().map(str::to_owned))
}

/// The beam size of all chunks of the job: `ours`, or that of the worker, with other settings, that transcribed the first
/// of them. A job with one chunk records none.
pub(super) async fn beam_size(attempt: &ChunkAttempt<'_>, job: &Job, ours: usize) -> Result<usize, StepError> {
    if job.chunks.len() == 1 {
        return Ok(ours);
    }
    let mut chosen = job.beam_size;
    if chosen.is_none() {
        let command = JobCommand::ChooseBeamSize { beam_size: u32::try_from(ours).unwrap_or(u32::MAX) };
        chosen = attempt.execute(command).await?.aggregate.beam_size;
    }
    Ok(chosen.and_then(|chosen| usize::try_from(chosen).ok()).unwrap_or(ours))
}
