//! A job as of any point in its history, folded from what was recorded up to then. Reads, and changes nothing.

use chrono::{DateTime, SecondsFormat, Utc};
use cqrs_es::Aggregate;
use serde::Serialize;
use serde_json::Value;
use ytcaption_domain::captions::Transcript;
use ytcaption_domain::delivery::{Delivery, DeliveryEvent};
use ytcaption_domain::job::{Job, JobEvent, evolve};
use ytcaption_domain::{AccountId, JobId};
use ytcaption_eventstore::{DecodeError, EventReader, RecordedEvent};

use crate::jobs::{Chunks, assemble, chunks};
use crate::{AsOf, JobView, ProjectionError, Timeline};

/// Why a job cannot be shown as of a point in its history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The store has no event of it.
    #[error("there is no job {0} in this store")]
    NotFound(JobId),
    /// It has fewer events than that.
    #[error("job {job} has no version {requested}; its versions are 1 to {newest}")]
    UnknownVersion {
        /// The job.
        job: JobId,
        /// The version requested.
        requested: u64,
        /// Its newest version.
        newest: u64,
    },
    /// It was not created yet.
    #[error(
        "job {job} did not exist at {}; it was recorded at {}",
        requested.to_rfc3339_opts(SecondsFormat::AutoSi, true), created.to_rfc3339_opts(SecondsFormat::AutoSi, true)
    )]
    BeforeCreation {
        /// The job.
        job: JobId,
        /// The time requested.
        requested: DateTime<Utc>,
        /// When its first event was recorded.
        created: DateTime<Utc>,
    },
    /// It has events that this program cannot read.
    #[error(transparent)]
    Unreadable(#[from] DecodeError),
    /// Its events do not follow from each other.
    #[error("the events of the job do not fit together: {0}")]
    Inconsistent(#[from] ProjectionError),
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Unavailable(#[from] sqlx::Error),
}

/// All that was recorded of one job.
#[derive(Debug, Clone)]
pub struct JobHistory {
    id: JobId,
    /// Its own events and those of its deliveries, oldest first; at least one of its own.
    events: Vec<RecordedEvent>,
}

/// A job as of a point in its history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobAt {
    /// The job.
    pub job_id: JobId,
    /// Number of its latest event then.
    pub version: u64,
    /// When that event was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Name of that event.
    pub last_event: String,
    /// The job as clients saw it.
    pub view: JobView,
    /// The job as commands were decided on.
    pub aggregate: Job,
}

impl JobHistory {
    /// All that was recorded up to now of a job of an account.
    ///
    /// # Errors
    /// The account has no such job, or the database does not answer.
    pub async fn load(reader: &EventReader, account: &AccountId, id: JobId) -> Result<Self, HistoryError> {
        let history = Self::from_events(id, reader.with_data_key(id.0).await?)?;
        // Decided by the metadata: what happened to a job is known even if this program cannot read its creation.
        let is_own = history.own_events().any(|event| event.metadata.context.account == *account);
        if is_own { Ok(history) } else { Err(HistoryError::NotFound(id)) }
    }

    /// The history that these events, oldest first, make.
    ///
    /// # Errors
    /// None of them is the job's own.
    pub fn from_events(id: JobId, events: Vec<RecordedEvent>) -> Result<Self, HistoryError> {
        if events.iter().any(|event| event.aggregate_type == Job::TYPE) {
            Ok(Self { id, events })
        } else {
            Err(HistoryError::NotFound(id))
        }
    }

    /// The events, oldest first.
    pub fn events(&self) -> &[RecordedEvent] {
        &self.events
    }

    /// What happened, as sentences.
    pub fn timeline(&self) -> Timeline {
        Timeline::from_events(self.id, &self.events)
    }

    /// The job as of a point in its history.
    ///
    /// # Errors
    /// It had no such version or was not created yet, or an event up to then cannot be read.
    pub fn at(&self, as_of: AsOf) -> Result<JobAt, HistoryError> {
        let version = self.version_at(as_of)?;
        let mut view = None;
        let mut aggregate = Job::default();
        let mut last = None;
        for recorded in self.own_events().take_while(|recorded| recorded.sequence <= version) {
            let events: Vec<JobEvent> = recorded.decode()?;
            for event in &events {
                evolve(&mut aggregate, event);
            }
            JobView::apply(&mut view, recorded, &events)?;
            last = Some(recorded);
        }
        let (Some(mut view), Some(last)) = (view, last) else { return Err(HistoryError::NotFound(self.id)) };
        if let AsOf::Time(time) = as_of {
            for recorded in self.deliveries().filter(|recorded| recorded.recorded_at <= time) {
                view.apply_delivery(&recorded.decode::<DeliveryEvent>()?);
            }
        }
        Ok(JobAt {
            job_id: self.id,
            version,
            recorded_at: last.recorded_at,
            last_event: last.event_type.clone(),
            view,
            aggregate,
        })
    }

    /// The whole text as of a point in the job's history; `None` if it was not completed then.
    ///
    /// # Errors
    /// As [`Self::at`].
    pub fn transcript_at(&self, as_of: AsOf) -> Result<Option<Transcript>, HistoryError> {
        let then = self.at(as_of)?;
        let mut text = Chunks::new();
        for recorded in self.own_events().take_while(|recorded| recorded.sequence <= then.version) {
            text.extend(chunks(&recorded.decode::<JobEvent>()?));
        }
        Ok(assemble(then.view, text))
    }

    fn own_events(&self) -> impl Iterator<Item = &RecordedEvent> {
        self.events.iter().filter(|event| event.aggregate_type == Job::TYPE)
    }

    fn deliveries(&self) -> impl Iterator<Item = &RecordedEvent> {
        self.events.iter().filter(|event| event.aggregate_type == Delivery::TYPE)
    }

    /// The job's version as of a point. The time of a version is that of its event, so deliveries, which notify of the
    /// job's end, are later than every version.
    fn version_at(&self, as_of: AsOf) -> Result<u64, HistoryError> {
        let job = self.id;
        match as_of {
            AsOf::Version(requested) => {
                let newest = self.own_events().last().map_or(0, |event| event.sequence);
                if requested <= newest {
                    Ok(requested)
                } else {
                    Err(HistoryError::UnknownVersion { job, requested, newest })
                }
            }
            AsOf::Time(requested) => {
                let created = self.own_events().next().ok_or(HistoryError::NotFound(job))?.recorded_at;
                let last = self.own_events().take_while(|event| event.recorded_at <= requested).last();
                let error = HistoryError::BeforeCreation { job, requested, created };
                last.map(|event| event.sequence).ok_or(error)
            }
        }
    }
}

impl JobAt {
    /// What can differ between two points: the job as clients saw it, its audio and its chunks.
    pub fn facts(&self) -> Value {
        let mut facts = serde_json::json!(self.view);
        if let Some(facts) = facts.as_object_mut() {
            // These count events and show the time; they differ always and say nothing.
            facts.remove("version");
            facts.remove("updated_at");
            facts.insert("chunk_list".to_owned(), serde_json::json!(self.aggregate.chunks));
            facts.insert("audio".to_owned(), serde_json::json!(self.aggregate.audio));
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use ytcaption_domain::job::JobStatus;

    use super::*;
    use crate::difference;
    use crate::timeline::tests::{JOB, TestJob, long_job};

    fn history() -> JobHistory {
        JobHistory::from_events(JOB, long_job().events).expect("a job")
    }

    #[test]
    fn a_job_is_shown_as_of_a_version_and_as_of_a_time() {
        let history = history();
        let failed = history.at(AsOf::Version(3)).expect("it had this version");
        assert_eq!(
            (failed.last_event.as_str(), failed.view.error_code.as_deref()),
            ("DownloadAttemptFailed", Some("http_503"))
        );
        assert_eq!(history.at(AsOf::Time(TestJob::time(2599))).expect("it was there"), failed);
        let again = history.at(AsOf::Time(TestJob::time(2600))).expect("it was there");
        assert_eq!((again.version, again.view.error_code, again.aggregate.download_attempt), (4, None, 2));
        let first = history.at(AsOf::Time(TestJob::time(0))).expect("it was there");
        assert_eq!((first.version, first.aggregate.status), (1, Some(JobStatus::Pending)));
    }

    #[test]
    fn the_webhook_shows_from_the_time_of_its_first_attempt_on() {
        let history = history();
        let at = |ms| history.at(AsOf::Time(TestJob::time(ms))).expect("it was there").view;
        let webhook = |ms| (at(ms).webhook_status, at(ms).webhook_attempts);
        assert_eq!(webhook(36_599), (Some("pending".into()), 0));
        assert_eq!(webhook(36_600), (Some("pending".into()), 1));
        assert_eq!(webhook(99_999), (Some("delivered".into()), 2));
        let newest = history.own_events().last().expect("an event").sequence;
        assert_eq!(history.at(AsOf::Version(newest)).expect("the last version").view, at(36_599));
    }

    #[test]
    fn a_point_that_the_history_does_not_have_is_refused_with_what_it_has() {
        let refusal = |as_of| history().at(as_of).expect_err("there is no such point").to_string();
        let job = JOB.to_string();
        let newest = history().own_events().count();
        assert_eq!(refusal(AsOf::Version(99)), format!("job {job} has no version 99; its versions are 1 to {newest}"));
        assert_eq!(
            refusal(AsOf::Time(TestJob::time(-1))),
            format!("job {job} did not exist at 2026-01-31T14:04:59.999Z; it was recorded at 2026-01-31T14:05:00Z")
        );
        let nothing = JobHistory::from_events(JOB, vec![]).expect_err("nothing was recorded").to_string();
        assert_eq!(nothing, format!("there is no job {job} in this store"));
    }

    #[test]
    fn two_points_differ_in_what_happened_between_them() {
        let history = history();
        let at = |version| history.at(AsOf::Version(version)).expect("it had this version").facts();
        let mut paths: Vec<String> = difference(&at(1), &at(2)).into_iter().map(|change| change.path).collect();
        paths.sort();
        assert_eq!(paths, ["/download_attempt", "/status"]);
        assert_eq!(difference(&at(2), &at(2)), []);
    }

    #[test]
    fn an_unreadable_event_is_named_and_what_was_before_it_still_shows() {
        let mut events = long_job().events;
        events[4].event_type = "FromTheFuture".into();
        events[4].payload = serde_json::json!({ "type": "FromTheFuture" });
        let history = JobHistory::from_events(JOB, events).expect("a job");
        assert!(history.at(AsOf::Version(4)).is_ok());
        let refusal = history.at(AsOf::Version(5)).expect_err("it cannot be read").to_string();
        assert!(refusal.contains("newer version"), "{refusal}");
    }
}
