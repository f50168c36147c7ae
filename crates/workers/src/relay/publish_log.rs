//! Which events that trigger work are in the stream, and as which message (table `relay_messages`), so that the relay
//! knows which of them the stream has lost.

use std::collections::HashMap;

use async_nats::jetstream::publish::PublishAck;
use sqlx::PgConnection;
use uuid::Uuid;
use ytcaption_domain::step::Step;
use ytcaption_eventstore::work::{pending_events, triggers_work};
use ytcaption_eventstore::{Database, RecordedEvent};

/// Rows read by one query.
const PAGE: i64 = 1000;

/// An event whose message is no longer in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) job_id: String,
    /// The event's sequence within the job.
    pub(super) sequence: i64,
    /// The sequence that its message had; 0 if the stream has lost all that it had.
    stream_sequence: i64,
}

impl Lost {
    /// A message id for the event that JetStream has not seen since the message was lost.
    pub(super) fn new_message_id(&self, event_id: Uuid) -> String {
        match self.stream_sequence {
            // A stream that was created again has not seen any id.
            0 => event_id.to_string(),
            number => format!("{event_id}.{number}"),
        }
    }
}

/// The lost messages that have to be handled.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// Their work is pending: to be published again.
    pub(super) needed: Vec<Lost>,
    /// Their work is done or obsolete: to be forgotten.
    finished: Vec<Lost>,
}

pub(super) struct PublishLog {
    database: Database,
    steps: &'static [Step],
}

impl PublishLog {
    pub(super) fn new(database: Database, steps: &'static [Step]) -> Self {
        Self { database, steps }
    }

    /// Records which message each of these events has become.
    pub(super) async fn record(
        &self,
        connection: &mut PgConnection,
        events: &[RecordedEvent],
        acks: &[PublishAck],
    ) -> Result<(), sqlx::Error> {
        let (mut jobs, mut sequences, mut messages) = (vec![], vec![], vec![]);
        for (event, ack) in events.iter().zip(acks).filter(|(event, _)| triggers_work(self.steps, event)) {
            jobs.push(event.aggregate_id.clone());
            sequences.push(signed(event.sequence));
            messages.push(signed(ack.sequence));
        }
        if jobs.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "INSERT INTO relay_messages (job_id, sequence, stream_sequence)
             SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
             ON CONFLICT (job_id, sequence) DO UPDATE SET stream_sequence = EXCLUDED.stream_sequence",
            &jobs,
            &sequences,
            &messages,
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Records that the stream has lost all messages from this sequence on.
    pub(super) async fn lose_from(&self, connection: &mut PgConnection, first: u64) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "UPDATE relay_messages SET stream_sequence = 0 WHERE stream_sequence >= $1 AND stream_sequence > 0",
            signed(first),
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Records that the stream has lost these messages.
    pub(super) async fn lose(&self, sequences: &[u64]) -> Result<(), sqlx::Error> {
        let sequences: Vec<i64> = sequences.iter().copied().map(signed).collect();
        sqlx::query!("UPDATE relay_messages SET stream_sequence = 0 WHERE stream_sequence = ANY($1)", &sequences)
            .execute(self.database.pool())
            .await?;
        Ok(())
    }

    /// What the stream, whose first message has this sequence, has lost; at most `limit` events to be published again, in
    /// the order of their publication.
    ///
    /// Work in flight is left to its workers, unless the stream was lost as a whole.
    pub(super) async fn losses(&self, first: u64, limit: usize) -> Result<Losses, sqlx::Error> {
        let mut losses = Losses::default();
        let mut after = Lost { job_id: String::new(), sequence: 0, stream_sequence: -1 };
        loop {
            let page = self.lost_after(&after, first).await?;
            let Some(last) = page.last() else { return Ok(losses) };
            after = last.clone();
            let job_ids: Vec<String> = page.iter().map(|lost| lost.job_id.clone()).collect();
            let sequences: Vec<i64> = page.iter().map(|lost| lost.sequence).collect();
            let pending: HashMap<(String, i64), bool> =
                pending_events(&self.database, self.steps, &job_ids, &sequences)
                    .await?
                    .into_iter()
                    .map(|event| ((event.job_id, event.sequence), event.is_in_flight))
                    .collect();
            for (lost, job_id) in page.into_iter().zip(job_ids) {
                match pending.get(&(job_id, lost.sequence)) {
                    None => losses.finished.push(lost),
                    Some(true) if lost.stream_sequence > 0 => {}
                    Some(_) if losses.needed.len() < limit => losses.needed.push(lost),
                    Some(_) => return Ok(losses),
                }
            }
        }
    }

    /// A page of messages before the stream's first, in the order of their publication; those of a stream that was lost as
    /// a whole come first.
    async fn lost_after(&self, after: &Lost, first: u64) -> Result<Vec<Lost>, sqlx::Error> {
        sqlx::query_as!(
            Lost,
            "SELECT job_id, sequence, stream_sequence FROM relay_messages
              WHERE stream_sequence < $1 AND (stream_sequence, job_id, sequence) > ($2, $3, $4)
              ORDER BY stream_sequence, job_id, sequence LIMIT $5",
            signed(first),
            after.stream_sequence,
            after.job_id,
            after.sequence,
            PAGE,
        )
        .fetch_all(self.database.pool())
        .await
    }

    /// Forgets the messages whose work is done or obsolete.
    pub(super) async fn forget_finished(&self, losses: &Losses) -> Result<(), sqlx::Error> {
        if losses.finished.is_empty() {
            return Ok(());
        }
        let job_ids: Vec<String> = losses.finished.iter().map(|lost| lost.job_id.clone()).collect();
        let sequences: Vec<i64> = losses.finished.iter().map(|lost| lost.sequence).collect();
        sqlx::query!(
            "DELETE FROM relay_messages m USING unnest($1::text[], $2::bigint[]) AS finished(job_id, sequence)
              WHERE m.job_id = finished.job_id AND m.sequence = finished.sequence",
            &job_ids,
            &sequences,
        )
        .execute(self.database.pool())
        .await?;
        Ok(())
    }
}

/// A sequence as Postgres stores it.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
