//! Publishes events again because a person requests it. Workers decide from the job whether work is left to do.

use std::collections::{BTreeMap, HashMap};

use async_nats::Client;
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use serde::Serialize;
use uuid::Uuid;
use ytcaption_domain::JobId;
use ytcaption_domain::step::Step;
use ytcaption_eventstore::work::{pending_events, triggers_work};
use ytcaption_eventstore::{Cursor, Database, EventQuery, EventReader, RecordedEvent};

use super::publish::{Publisher, Republished};
use super::publish_log::PublishLog;
use super::{PAGE, RelayError, is_publishable};
use crate::cloud_event::subject_of;
use crate::topology;

/// Which events to publish again. Every condition that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Events of this job and of its deliveries.
    pub job: Option<JobId>,
    /// Events recorded at or after this time.
    pub since: Option<DateTime<Utc>>,
    /// Only events whose work is pending.
    pub unfinished: bool,
}

/// The selected events under one subject.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SubjectCount {
    /// The subject, with `*` for the id of the aggregate.
    pub subject: String,
    /// Number of events.
    pub events: u64,
    /// How many of them have pending work; the others are no-ops for the workers.
    pub pending: u64,
    /// How many of the pending ones are in flight: another worker would start a new attempt.
    pub in_flight: u64,
    /// The steps whose workers receive them.
    pub steps: Vec<&'static str>,
}

/// Publishes events again.
pub struct StreamReplay {
    database: Database,
    steps: &'static [Step],
    reader: EventReader,
    publisher: Publisher,
    publish_log: PublishLog,
}

impl StreamReplay {
    /// A replay from a store to the stream of a server, for the workers of these steps.
    pub fn new(database: &Database, nats: Client, steps: &'static [Step]) -> Self {
        Self {
            database: database.clone(),
            steps,
            reader: EventReader::new(database),
            publisher: Publisher::new(topology::jetstream(&nats), nats),
            publish_log: PublishLog::new(database.clone(), steps),
        }
    }

    /// What would be published, by subject.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn count(&self, selection: &Selection) -> Result<Vec<SubjectCount>, RelayError> {
        let mut counts: BTreeMap<String, SubjectCount> = BTreeMap::new();
        let mut pages = std::pin::pin!(self.pages(selection));
        while let Some(page) = pages.try_next().await? {
            for (event, in_flight) in self.select(page, selection).await? {
                let subject = subject_of(&event);
                let pattern = format!("{}.*", subject.rsplit_once('.').map_or("", |(all_but_id, _)| all_but_id));
                let count = counts.entry(pattern.clone()).or_insert_with(|| SubjectCount {
                    steps: topology::steps_of(self.steps, &subject),
                    subject: pattern,
                    ..SubjectCount::default()
                });
                count.events += 1;
                count.pending += u64::from(in_flight.is_some());
                count.in_flight += u64::from(in_flight == Some(true));
            }
        }
        Ok(counts.into_values().collect())
    }

    /// Publishes the events in commit order; calls `progress` with the number of events published so far.
    ///
    /// # Errors
    /// The database or JetStream does not answer.
    pub async fn publish(&self, selection: &Selection, mut progress: impl FnMut(u64)) -> Result<u64, RelayError> {
        // JetStream drops ids that it knows; these are new to it in every run.
        let run = Uuid::new_v4();
        let mut published = 0;
        let mut pages = std::pin::pin!(self.pages(selection));
        while let Some(page) = pages.try_next().await? {
            for selected in self.select(page, selection).await?.chunks(PAGE as usize) {
                let again = |event: &RecordedEvent| Republished {
                    message_id: format!("{}.replay.{run}", event.metadata.event_id),
                    event: event.clone(),
                };
                let events: Vec<Republished> = selected.iter().map(|(event, _)| again(event)).collect();
                let acks = self.publisher.publish_again(&events).await?;
                let events: Vec<RecordedEvent> = events.into_iter().map(|again| again.event).collect();
                let mut connection = self.database.pool().acquire().await?;
                self.publish_log.record(&mut connection, &events, &acks).await?;
                published += events.len() as u64;
                progress(published);
            }
        }
        Ok(published)
    }

    fn pages(
        &self,
        selection: &Selection,
    ) -> impl futures::Stream<Item = Result<Vec<RecordedEvent>, sqlx::Error>> + Send {
        let query =
            EventQuery { data_key: selection.job.map(|job| job.0), since: selection.since, ..EventQuery::default() };
        self.reader.pages(query, Cursor::default())
    }

    /// The events of a page that are selected; with each whose work is pending, whether it is in flight.
    async fn select(
        &self,
        page: Vec<RecordedEvent>,
        selection: &Selection,
    ) -> Result<Vec<(RecordedEvent, Option<bool>)>, sqlx::Error> {
        let page: Vec<RecordedEvent> = page.into_iter().filter(is_publishable).collect();
        let (job_ids, sequences): (Vec<String>, Vec<i64>) =
            page.iter().filter(|event| triggers_work(self.steps, event)).map(key).unzip();
        let pending: HashMap<(String, i64), bool> = pending_events(&self.database, self.steps, &job_ids, &sequences)
            .await?
            .into_iter()
            .map(|event| ((event.job_id, event.sequence), event.is_in_flight))
            .collect();
        let with_state = page.into_iter().map(|event| {
            let is_trigger = triggers_work(self.steps, &event);
            let in_flight = pending.get(&key(&event)).copied().filter(|_| is_trigger);
            (event, in_flight)
        });
        Ok(with_state.filter(|(_, in_flight)| in_flight.is_some() || !selection.unfinished).collect())
    }
}

fn key(event: &RecordedEvent) -> (String, i64) {
    (event.aggregate_id.clone(), i64::try_from(event.sequence).unwrap_or(i64::MAX))
}
