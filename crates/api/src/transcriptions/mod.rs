//! `/api/v1/transcriptions`: submitting, watching and fetching.

pub(crate) mod cancel;
pub(crate) mod captions;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod retry;
pub(crate) mod show;
pub(crate) mod stream;
pub(crate) mod submit;

mod accept;
mod body;
mod cue_style;
mod upload;
mod view;

use ytcaption_domain::JobId;

/// Path of the collection of jobs.
const COLLECTION: &str = "/api/v1/transcriptions";

/// URL of a job.
pub(crate) fn status_url(job: JobId) -> String {
    format!("{COLLECTION}/{job}")
}

/// URL of a job's captions.
fn result_url(job: JobId) -> String {
    format!("{}/result", status_url(job))
}
