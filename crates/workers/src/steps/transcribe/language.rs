//! One language for all chunks of a job.

use std::path::Path;

use ytcaption_domain::job::{Job, JobCommand};
use ytcaption_whisper::{TranscribeOptions, Transcriber, detect_language};

use super::step_error;
use crate::steps::attempt::Attempt;
use crate::steps::commands::execute_with_retry;
use crate::steps::error::{StepError, sentence};

/// The language in which a chunk is transcribed: the one that was asked for, or that the job's recording was heard to
/// be in. Whoever finds it unknown listens to the whole recording and tells the job, which keeps what it was told
/// first. `None` if there is only this chunk, or nobody was heard to speak: the chunk itself tells then.
pub(super) async fn language(
    attempt: &Attempt<'_>,
    job: &Job,
    model: &Transcriber,
    audio: &Path,
    options: &TranscribeOptions,
) -> Result<Option<String>, StepError> {
    if let Some(known) = job.language() {
        return Ok(Some(known.to_owned()));
    }
    let duration_ms = job.audio.as_ref().map_or(0, |audio| audio.duration_ms);
    if job.chunks.len() == 1 {
        return Ok(None);
    }
    let Some(language) = detect_language(model, audio, duration_ms, options).await.map_err(step_error)? else {
        return Ok(None);
    };
    tracing::info!(language, "the language of the recording was heard");
    let command = JobCommand::RecordLanguage { language };
    let told = execute_with_retry(&attempt.deps.jobs, attempt.job_id.0, command, attempt.context).await;
    let told = told.map_err(|error| StepError::unavailable("store_unavailable", format!("{}.", sentence(&error))))?;
    Ok(told.aggregate.language().map(str::to_owned))
}
