//! A recording that is damaged is transcribed as far as it can be heard; the client is told, not the log alone.

use ytcaption_domain::job::{JobCommand, Warning};

use crate::steps::attempt::Attempt;
use crate::steps::commands::execute_with_retry;
use crate::steps::error::{StepError, sentence};

/// Tells the job what is wrong with its recording.
///
/// # Errors
/// The store does not answer.
pub(super) async fn report(attempt: &Attempt<'_>, damage: &str) -> Result<(), StepError> {
    tracing::warn!(damage, "the recording is damaged; what can be heard of it is transcribed");
    let message = format!(
        "The recording is damaged: {}. What can be heard of it is transcribed; for the rest, submit it again from the \
         original.",
        damage.trim_end_matches('.')
    );
    let command = JobCommand::RaiseWarning {
        attempt: attempt.number,
        warning: Warning { code: "truncated_media".to_owned(), message },
    };
    match execute_with_retry(&attempt.deps.jobs, attempt.job_id.0, command, attempt.context).await {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(StepError::unavailable("store_unavailable", format!("{}. It is tried again.", sentence(&error))))
        }
    }
}
