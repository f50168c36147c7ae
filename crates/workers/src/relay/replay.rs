//! Puts events on the stream once more because a person asked for it. Workers decide for themselves, from the job,
//! whether there is anything left to do.

use std::collections::{BTreeMap, HashMap};

use async_nats::Client;
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;
use ytcaption_domain::JobId;
use ytcaption_domain::job::JobEvent;
use ytcaption_eventstore::{Cursor, Database, EventQuery, EventReader, RecordedEvent};

use super::outstanding::{asks_for_work, in_work, still_asks};
use super::publish::{Again, Publisher};
use super::publish_log::PublishLog;
use super::{PAGE, RelayError, can_be_carried};
use crate::cloud_event::subject_of;
use crate::topology;

/// Which of these events still ask for work, and whether somebody is at it.
const ASKING: &str = concat!(
    "SELECT e.aggregate_id, e.sequence, ",
    in_work!(),
    " FROM UNNEST($2::text[], $3::bigint[]) AS asked(job_id, sequence)
      JOIN events e ON e.aggregate_type = 'job' AND e.aggregate_id = asked.job_id AND e.sequence = asked.sequence
     WHERE ",
    still_asks!()
);

/// Which events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those of one job and of telling its webhook.
    pub job: Option<JobId>,
    /// Those recorded at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Only those that still ask for work.
    pub unfinished: bool,
}

/// Events under one subject, and what comes of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SubjectCount {
    /// The subject, with `*` for the aggregate.
    pub subject: String,
    /// How many there are.
    pub events: u64,
    /// How many of them still ask for work; to the others a worker decides to nothing.
    pub needed: u64,
    /// How many of those are being worked on; another worker would begin anew.
    pub in_work: u64,
    /// Stages whose workers see them.
    pub stages: Vec<String>,
}

/// Puts events on the stream once more.
pub struct StreamReplay {
    pool: PgPool,
    reader: EventReader,
    publisher: Publisher,
    publish_log: PublishLog,
}

impl StreamReplay {
    /// Between a store and a stream.
    pub fn new(database: &Database, nats: Client) -> Self {
        let pool = database.pool().clone();
        Self {
            reader: EventReader::new(database),
            publisher: Publisher::new(topology::jetstream(&nats), nats),
            publish_log: PublishLog::new(pool.clone()),
            pool,
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
            for (event, asks) in self.choose(page, selection).await? {
                let subject = subject_of(&event);
                let pattern = format!("{}.*", subject.rsplit_once('.').map_or("", |(all_but_id, _)| all_but_id));
                let count = counts.entry(pattern.clone()).or_insert_with(|| SubjectCount {
                    stages: topology::stages_of(&subject),
                    subject: pattern,
                    ..SubjectCount::default()
                });
                count.events += 1;
                count.needed += u64::from(asks.is_some());
                count.in_work += u64::from(asks == Some(true));
            }
        }
        Ok(counts.into_values().collect())
    }

    /// Publishes them, in the order in which they happened; tells `progress` how many there are so far.
    ///
    /// # Errors
    /// The database or JetStream does not answer.
    pub async fn publish(&self, selection: &Selection, mut progress: impl FnMut(u64)) -> Result<u64, RelayError> {
        // JetStream drops ids that it knows; these are new to it, however often somebody asks.
        let run = Uuid::new_v4();
        let mut published = 0;
        let mut pages = std::pin::pin!(self.pages(selection));
        while let Some(page) = pages.try_next().await? {
            for some in self.choose(page, selection).await?.chunks(PAGE as usize) {
                let again = |event: &RecordedEvent| Again {
                    message_id: format!("{}.replay.{run}", event.metadata.event_id),
                    event: event.clone(),
                };
                let events: Vec<Again> = some.iter().map(|(event, _)| again(event)).collect();
                let acks = self.publisher.publish_again(&events).await?;
                let events: Vec<RecordedEvent> = events.into_iter().map(|again| again.event).collect();
                self.publish_log.record(&mut *self.pool.acquire().await?, &events, &acks).await?;
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

    /// The events of a page that are asked for. With each, if it still asks for work, whether somebody is at it.
    async fn choose(
        &self,
        page: Vec<RecordedEvent>,
        selection: &Selection,
    ) -> Result<Vec<(RecordedEvent, Option<bool>)>, sqlx::Error> {
        let page: Vec<RecordedEvent> = page.into_iter().filter(can_be_carried).collect();
        let (jobs, sequences): (Vec<&str>, Vec<i64>) =
            page.iter().filter(|event| asks_for_work(event)).map(key).unzip();
        let asking: Vec<(String, i64, bool)> = sqlx::query_as(ASKING)
            .bind(JobEvent::TERMINAL_EVENTS.map(|event| event.name).as_slice())
            .bind(&jobs)
            .bind(&sequences)
            .fetch_all(&self.pool)
            .await?;
        let asking: HashMap<(&str, i64), bool> =
            asking.iter().map(|(job, sequence, in_work)| ((job.as_str(), *sequence), *in_work)).collect();
        let asks =
            |event: &RecordedEvent| (event.aggregate_type == "job").then(|| asking.get(&key(event)).copied()).flatten();
        let chosen = page.iter().map(|event| (event.clone(), asks(event)));
        Ok(chosen.filter(|(_, asks)| asks.is_some() || !selection.unfinished).collect())
    }
}

fn key(event: &RecordedEvent) -> (&str, i64) {
    (event.aggregate_id.as_str(), i64::try_from(event.sequence).unwrap_or(i64::MAX))
}
