//! Where in the stream each event lies that asks a worker for something (table `relay_messages`), so that the relay
//! knows which of them the stream has lost.

use async_nats::jetstream::publish::PublishAck;
use sqlx::{FromRow, PgConnection, PgPool};
use uuid::Uuid;
use ytcaption_domain::job::JobEvent;
use ytcaption_eventstore::RecordedEvent;

use super::outstanding::{asks_for_work, in_work, still_asks};

/// Rows looked at in one query.
const PAGE: i64 = 1000;

const RECORD: &str = "
    INSERT INTO relay_messages (job_id, sequence, stream_sequence)
    SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[])
    ON CONFLICT (job_id, sequence) DO UPDATE SET stream_sequence = EXCLUDED.stream_sequence";

/// Messages before the stream's first, in the order of their publication, and what is to be done about each. Those of
/// a stream that is gone as a whole come first, and the workers that have them are not waited for.
const LOST: &str = concat!(
    "SELECT m.job_id, m.sequence, m.stream_sequence, ",
    still_asks!(),
    " AS needed, m.stream_sequence > 0 AND ",
    in_work!(),
    " AS in_work
      FROM relay_messages m
      JOIN events e ON e.aggregate_type = 'job' AND e.aggregate_id = m.job_id AND e.sequence = m.sequence
     WHERE m.stream_sequence < $2 AND (m.stream_sequence, m.job_id, m.sequence) > ($3, $4, $5)
     ORDER BY m.stream_sequence, m.job_id, m.sequence LIMIT $6"
);

const FORGET: &str = "
    DELETE FROM relay_messages m USING UNNEST($1::text[], $2::bigint[]) AS gone(job_id, sequence)
     WHERE m.job_id = gone.job_id AND m.sequence = gone.sequence";

/// A message that is not in the stream any more.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct Lost {
    pub(super) job_id: String,
    /// The event's place in the life of the job.
    pub(super) sequence: i64,
    stream_sequence: i64,
    needed: bool,
    in_work: bool,
}

impl Lost {
    /// A message id for it that JetStream has not heard since the message was lost.
    pub(super) fn new_id(&self, event_id: Uuid) -> String {
        match self.stream_sequence {
            // The stream is another one, and has not heard of any.
            0 => event_id.to_string(),
            number => format!("{event_id}.{number}"),
        }
    }
}

/// The lost messages that there is something to do about.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// To be published again.
    pub(super) needed: Vec<Lost>,
    /// Nobody needs them any more.
    finished: Vec<Lost>,
}

pub(super) struct PublishLog {
    pool: PgPool,
}

impl PublishLog {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Writes down where these events lie.
    pub(super) async fn record(
        &self,
        connection: &mut PgConnection,
        events: &[RecordedEvent],
        acks: &[PublishAck],
    ) -> Result<(), sqlx::Error> {
        let (mut jobs, mut sequences, mut places) = (vec![], vec![], vec![]);
        for (event, ack) in events.iter().zip(acks).filter(|(event, _)| asks_for_work(event)) {
            jobs.push(event.aggregate_id.as_str());
            sequences.push(signed(event.sequence));
            places.push(signed(ack.sequence));
        }
        if jobs.is_empty() {
            return Ok(());
        }
        sqlx::query(RECORD).bind(jobs).bind(sequences).bind(places).execute(connection).await?;
        Ok(())
    }

    /// The stream has lost everything from this number on.
    pub(super) async fn lose_from(&self, connection: &mut PgConnection, first: u64) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE relay_messages SET stream_sequence = 0 WHERE stream_sequence >= $1 AND stream_sequence > 0",
        )
        .bind(signed(first))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// The stream has lost these.
    pub(super) async fn lose(&self, numbers: &[u64]) -> Result<(), sqlx::Error> {
        let numbers: Vec<i64> = numbers.iter().copied().map(signed).collect();
        sqlx::query("UPDATE relay_messages SET stream_sequence = 0 WHERE stream_sequence = ANY($1)")
            .bind(numbers)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// What the stream, whose first message has this number, has lost; at most `limit` to be published again.
    pub(super) async fn losses(&self, first: u64, limit: usize) -> Result<Losses, sqlx::Error> {
        let mut losses = Losses::default();
        let mut after = (-1, String::new(), 0);
        loop {
            let page: Vec<Lost> = sqlx::query_as(LOST)
                .bind(JobEvent::TERMINAL_EVENTS.map(|event| event.name).as_slice())
                .bind(signed(first))
                .bind(after.0)
                .bind(&after.1)
                .bind(after.2)
                .bind(PAGE)
                .fetch_all(&self.pool)
                .await?;
            let Some(last) = page.last() else { return Ok(losses) };
            after = (last.stream_sequence, last.job_id.clone(), last.sequence);
            for lost in page {
                match lost {
                    Lost { needed: false, .. } => losses.finished.push(lost),
                    Lost { in_work: true, .. } => {}
                    _ if losses.needed.len() < limit => losses.needed.push(lost),
                    _ => return Ok(losses),
                }
            }
        }
    }

    /// Forgets what nobody needs any more.
    pub(super) async fn forget_finished(&self, losses: &Losses) -> Result<(), sqlx::Error> {
        if losses.finished.is_empty() {
            return Ok(());
        }
        let jobs: Vec<&str> = losses.finished.iter().map(|lost| lost.job_id.as_str()).collect();
        let sequences: Vec<i64> = losses.finished.iter().map(|lost| lost.sequence).collect();
        sqlx::query(FORGET).bind(jobs).bind(sequences).execute(&self.pool).await?;
        Ok(())
    }
}

/// A number as Postgres keeps it.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
