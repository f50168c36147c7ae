//! A job at any moment of its life, folded from what was recorded up to then. Reads, and changes nothing.

use chrono::{DateTime, SecondsFormat, Utc};
use cqrs_es::Aggregate;
use serde::Serialize;
use serde_json::Value;
use ytcaption_domain::JobId;
use ytcaption_domain::captions::Transcript;
use ytcaption_domain::delivery::{Delivery, DeliveryEvent};
use ytcaption_domain::job::{Job, JobEvent, evolve};
use ytcaption_eventstore::{DecodeError, EventReader, RecordedEvent};

use crate::transcript::{self, Chunks};
use crate::{JobView, Misfit, Moment, Timeline, explain};

/// Why a job cannot be shown as it was.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// No event speaks of it.
    #[error("there is no job {0} in this store")]
    NotFound(JobId),
    /// It never had so many events.
    #[error("job {job} has no version {asked}; its versions are 1 to {newest}")]
    UnknownVersion {
        /// The job.
        job: JobId,
        /// What was asked for.
        asked: u64,
        /// Its newest version.
        newest: u64,
    },
    /// It was not there yet.
    #[error(
        "job {job} did not exist at {}; it was recorded at {}",
        asked.to_rfc3339_opts(SecondsFormat::AutoSi, true), born.to_rfc3339_opts(SecondsFormat::AutoSi, true)
    )]
    NotYetBorn {
        /// The job.
        job: JobId,
        /// What was asked for.
        asked: DateTime<Utc>,
        /// When its first event was recorded.
        born: DateTime<Utc>,
    },
    /// It has events that this program cannot read.
    #[error(transparent)]
    Unreadable(#[from] DecodeError),
    /// Its events do not follow from each other.
    #[error("the events of the job do not fit together: {0}")]
    Misfit(#[from] Misfit),
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

/// A job as it was.
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
    /// The job as commands met it.
    pub aggregate: Job,
}

impl JobHistory {
    /// Everything that was recorded of a job up to now.
    ///
    /// # Errors
    /// There is no such job, or the database does not answer.
    pub async fn load(reader: &EventReader, id: JobId) -> Result<Self, HistoryError> {
        Self::of(id, reader.of_job(id).await?)
    }

    /// The history that these events, oldest first, make.
    ///
    /// # Errors
    /// None of them is the job's own.
    pub fn of(id: JobId, events: Vec<RecordedEvent>) -> Result<Self, HistoryError> {
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

    /// What happened, in words.
    pub fn explain(&self) -> Timeline {
        explain(self.id, &self.events)
    }

    /// The job as it was at a moment.
    ///
    /// # Errors
    /// It had no such version or was not there yet, or an event up to then cannot be read.
    pub fn at(&self, moment: Moment) -> Result<JobAt, HistoryError> {
        let version = self.version_at(moment)?;
        let mut view = None;
        let mut aggregate = Job::default();
        let mut last = None;
        for recorded in self.own().take_while(|recorded| recorded.sequence <= version) {
            let events: Vec<JobEvent> = recorded.decode()?;
            for event in &events {
                evolve(&mut aggregate, event);
            }
            JobView::fold(&mut view, recorded, &events)?;
            last = Some(recorded);
        }
        let (Some(mut view), Some(last)) = (view, last) else { return Err(HistoryError::NotFound(self.id)) };
        if let Moment::Time(time) = moment {
            for recorded in self.deliveries().filter(|recorded| recorded.recorded_at <= time) {
                view.fold_delivery(recorded, &recorded.decode::<DeliveryEvent>()?)?;
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

    /// The whole text that the job had at a moment; `None` if it was not completed then.
    ///
    /// # Errors
    /// As [`Self::at`].
    pub fn transcript_at(&self, moment: Moment) -> Result<Option<Transcript>, HistoryError> {
        let then = self.at(moment)?;
        let mut chunks = Chunks::new();
        for recorded in self.own().take_while(|recorded| recorded.sequence <= then.version) {
            transcript::collect(&mut chunks, recorded.decode()?);
        }
        Ok(transcript::whole(then.view, chunks))
    }

    fn own(&self) -> impl Iterator<Item = &RecordedEvent> {
        self.events.iter().filter(|event| event.aggregate_type == Job::TYPE)
    }

    fn deliveries(&self) -> impl Iterator<Item = &RecordedEvent> {
        self.events.iter().filter(|event| event.aggregate_type == Delivery::TYPE)
    }

    /// The job's version at a moment. The moment of a version is that of its event, so deliveries, which tell of the
    /// job's end, are later than every version.
    fn version_at(&self, moment: Moment) -> Result<u64, HistoryError> {
        let job = self.id;
        match moment {
            Moment::Version(asked) => {
                let newest = self.own().last().map_or(0, |event| event.sequence);
                if asked <= newest { Ok(asked) } else { Err(HistoryError::UnknownVersion { job, asked, newest }) }
            }
            Moment::Time(asked) => {
                let born = self.own().next().ok_or(HistoryError::NotFound(job))?.recorded_at;
                let last = self.own().take_while(|event| event.recorded_at <= asked).last();
                last.map(|event| event.sequence).ok_or(HistoryError::NotYetBorn { job, asked, born })
            }
        }
    }
}

impl JobAt {
    /// What can differ between two moments: the job as clients saw it, its audio and its chunks.
    pub fn facts(&self) -> Value {
        let mut facts = serde_json::json!(self.view);
        if let Some(facts) = facts.as_object_mut() {
            // These count events and tell the time; they differ always and say nothing.
            facts.remove("version");
            facts.remove("delivery_version");
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
    use crate::explain::tests::{JOB, Story, long_story};

    fn history() -> JobHistory {
        JobHistory::of(JOB, long_story().events).expect("a job")
    }

    #[test]
    fn a_job_is_shown_as_it_was_at_a_version_and_at_a_time() {
        let history = history();
        let failed = history.at(Moment::Version(3)).expect("it had this version");
        assert_eq!(
            (failed.last_event.as_str(), failed.view.error_code.as_deref()),
            ("DownloadAttemptFailed", Some("http_503"))
        );
        assert_eq!(history.at(Moment::Time(Story::time(2599))).expect("it was there"), failed);
        let again = history.at(Moment::Time(Story::time(2600))).expect("it was there");
        assert_eq!((again.version, again.view.error_code, again.aggregate.download_attempt), (4, None, 2));
        let first = history.at(Moment::Time(Story::time(0))).expect("it was there");
        assert_eq!((first.version, first.aggregate.status), (1, Some(JobStatus::Pending)));
    }

    #[test]
    fn the_webhook_shows_from_the_time_it_was_told_on() {
        let history = history();
        let at = |ms| history.at(Moment::Time(Story::time(ms))).expect("it was there").view;
        let told = |ms| (at(ms).webhook_status, at(ms).webhook_attempts);
        assert_eq!(told(36_599), (Some("pending".into()), 0));
        assert_eq!(told(36_600), (Some("pending".into()), 1));
        assert_eq!(told(99_999), (Some("delivered".into()), 2));
        let newest = history.own().last().expect("an event").sequence;
        assert_eq!(history.at(Moment::Version(newest)).expect("the last version").view, at(36_599));
    }

    #[test]
    fn what_never_was_is_said_clearly() {
        let refusal = |moment| history().at(moment).expect_err("there is no such moment").to_string();
        let job = JOB.to_string();
        let newest = history().own().count();
        assert_eq!(
            refusal(Moment::Version(99)),
            format!("job {job} has no version 99; its versions are 1 to {newest}")
        );
        assert_eq!(
            refusal(Moment::Time(Story::time(-1))),
            format!("job {job} did not exist at 2026-01-31T14:04:59.999Z; it was recorded at 2026-01-31T14:05:00Z")
        );
        let nothing = JobHistory::of(JOB, vec![]).expect_err("nothing was recorded").to_string();
        assert_eq!(nothing, format!("there is no job {job} in this store"));
    }

    #[test]
    fn two_moments_differ_in_what_happened_between_them() {
        let history = history();
        let at = |version| history.at(Moment::Version(version)).expect("it had this version").facts();
        let mut paths: Vec<String> = difference(&at(1), &at(2)).into_iter().map(|change| change.path).collect();
        paths.sort();
        assert_eq!(paths, ["/download_attempt", "/status"]);
        assert_eq!(difference(&at(2), &at(2)), []);
    }

    #[test]
    fn an_unreadable_event_is_named_and_what_was_before_it_still_shows() {
        let mut events = long_story().events;
        events[4].event_type = "FromTheFuture".into();
        events[4].payload = serde_json::json!({ "type": "FromTheFuture" });
        let history = JobHistory::of(JOB, events).expect("a job");
        assert!(history.at(Moment::Version(4)).is_ok());
        let refusal = history.at(Moment::Version(5)).expect_err("it cannot be read").to_string();
        assert!(refusal.contains("newer version"), "{refusal}");
    }
}
