//! The body of a webhook: what a receiver gets.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use url::Url;
use utoipa::ToSchema;

use crate::JobId;
use crate::job::{Failure, JobEvent};

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// Its captions are ready.
    Completed,
    /// There will be none, for this reason.
    Failed(Failure),
    /// A client stopped it.
    Cancelled,
}

impl JobEnd {
    /// The end that an event records; `None` if it does not end the job.
    pub fn from_event(event: &JobEvent) -> Option<Self> {
        match event {
            JobEvent::JobCompleted { .. } => Some(Self::Completed),
            JobEvent::JobFailed { failure, .. } => Some(Self::Failed(failure.clone())),
            JobEvent::JobCancelled { .. } => Some(Self::Cancelled),
            _ => None,
        }
    }

    /// The job's status.
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// That a job has ended: `type`, `timestamp` and `data`, as Standard Webhooks recommends.
#[derive(Debug, Serialize, ToSchema)]
pub struct Notification {
    /// `transcription.completed`, `transcription.failed` or `transcription.cancelled`. There may be others later: answer
    /// them with 2xx and ignore them.
    #[serde(rename = "type")]
    #[schema(example = "transcription.completed")]
    kind: String,
    /// When the job ended.
    #[schema(format = DateTime, example = "2026-01-02T03:04:05.678Z")]
    timestamp: String,
    data: NotificationData,
}

/// How the job ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationData {
    #[schema(value_type = uuid::Uuid)]
    job_id: JobId,
    /// `completed`, `failed` or `cancelled`.
    #[schema(example = "completed")]
    status: &'static str,
    /// URL of the captions, if the job is completed. It begins with the setting `api.public_url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        example = "https://captions.example.org/api/v1/transcriptions/0197a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f/result"
    )]
    result_url: Option<String>,
    /// Why the job failed, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

impl Notification {
    /// The notification that a job ended at `at`.
    pub fn new(job_id: JobId, at: DateTime<Utc>, job_end: &JobEnd, public_url: &Url) -> Self {
        let status = job_end.status();
        let base = public_url.as_str().trim_end_matches('/');
        Self {
            kind: format!("transcription.{status}"),
            timestamp: at.to_rfc3339_opts(SecondsFormat::Millis, true),
            data: NotificationData {
                job_id,
                status,
                result_url: (*job_end == JobEnd::Completed)
                    .then(|| format!("{base}/api/v1/transcriptions/{job_id}/result")),
                error: match job_end {
                    JobEnd::Failed(failure) => Some(failure.clone()),
                    JobEnd::Completed | JobEnd::Cancelled => None,
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::job::JobResult;

    fn body(job_end: &JobEnd) -> serde_json::Value {
        let base = "https://captions.example/base/".parse().expect("a URL");
        let at = "2026-01-02T03:04:05.678Z".parse().expect("a time");
        json!(Notification::new(JobId(Uuid::nil()), at, job_end, &base))
    }

    #[test]
    fn every_event_that_ends_a_job_is_an_end_to_report() {
        let result = JobResult::Transcription { language: "en".into(), duration_ms: 1000, segments: 1 };
        let failure = Failure { code: "http_404".into(), message: "There is nothing.".into() };
        for (event, end) in [
            (JobEvent::JobCompleted { result }, Some(JobEnd::Completed)),
            (JobEvent::JobFailed { step: "download".into(), failure: failure.clone() }, Some(JobEnd::Failed(failure))),
            (JobEvent::JobCancelled { reason: None }, Some(JobEnd::Cancelled)),
            (JobEvent::DownloadStarted { attempt: 1, worker: "w".into() }, None),
        ] {
            assert_eq!(JobEnd::from_event(&event), end, "{event:?}");
        }
    }

    #[test]
    fn the_body_has_the_status_and_the_url_of_the_result() {
        let id = "00000000-0000-0000-0000-000000000000";
        let result_url = format!("https://captions.example/base/api/v1/transcriptions/{id}/result");
        assert_eq!(
            body(&JobEnd::Completed),
            json!({"type": "transcription.completed", "timestamp": "2026-01-02T03:04:05.678Z",
                   "data": {"job_id": id, "status": "completed", "result_url": result_url}})
        );
        let failure = Failure { code: "http_404".into(), message: "There is nothing.".into() };
        assert_eq!(
            body(&JobEnd::Failed(failure))["data"],
            json!({"job_id": id, "status": "failed", "error": {"code": "http_404", "message": "There is nothing."}})
        );
        assert_eq!(body(&JobEnd::Cancelled)["data"], json!({"job_id": id, "status": "cancelled"}));
    }
}
