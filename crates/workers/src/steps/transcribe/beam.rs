//! One beam size for all chunks of a job.

use ytcaption_domain::job::{Job, JobCommand};

use crate::steps::attempt::Attempt;
use crate::steps::commands::execute_with_retry;
use crate::steps::error::{StepError, sentence};

/// Hypotheses to follow at a time: `ours`, or what another worker, with other settings, has begun the job with. Of a
/// recording that is one chunk the job is told nothing.
pub(super) async fn beam_size(attempt: &Attempt<'_>, job: &Job, ours: usize) -> Result<usize, StepError> {
    if job.chunks.len() == 1 {
        return Ok(ours);
    }
    let mut chosen = job.beam_size;
    if chosen.is_none() {
        let command = JobCommand::ChooseBeamSize { beam_size: u32::try_from(ours).unwrap_or(u32::MAX) };
        let told = execute_with_retry(&attempt.deps.jobs, attempt.job_id.0, command, attempt.context).await;
        let told =
            told.map_err(|error| StepError::unavailable("store_unavailable", format!("{}.", sentence(&error))))?;
        chosen = told.aggregate.beam_size;
    }
    Ok(chosen.and_then(|chosen| usize::try_from(chosen).ok()).unwrap_or(ours))
}
