//! `/api/v1/transcriptions`: submitting, watching and fetching.

pub(crate) mod cancel;
pub(crate) mod list;
pub(crate) mod parameters;
pub(crate) mod past;
pub(crate) mod result;
pub(crate) mod show;
pub(crate) mod stream;
pub(crate) mod submit;

mod accept;
mod body;
mod cue_style;
mod fields;
mod form;
mod idempotency;
mod upload;
mod view;

pub(crate) use result::TranscriptDocument;
pub(crate) use view::Status;

use ytcaption_domain::JobId;
use ytcaption_projections::JobView;

use crate::ApiState;
use crate::caller::Caller;
use crate::problem::ApiError;

/// Where the jobs are.
const COLLECTION: &str = "/api/v1/transcriptions";

/// Where to ask for a job.
pub(crate) fn status_url(job: JobId) -> String {
    format!("{COLLECTION}/{job}")
}

/// A job of the caller's account; those of others are as if they were not there.
async fn find(state: &ApiState, caller: &Caller, id: JobId) -> Result<JobView, ApiError> {
    tracing::Span::current().record("job_id", tracing::field::display(id));
    state.queries.find(&caller.account, id).await?.ok_or(ApiError::JobNotFound(id))
}
