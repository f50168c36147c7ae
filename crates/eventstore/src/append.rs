//! Appends events durably, many commands in one insert.
//!
//! One writer task owns one connection. While the disk flushes one batch, the next one gathers: there is no
//! artificial delay, so a lone command is written at once and concurrent commands share the flush.

use cqrs_es::persist::{PersistenceError, SerializedEvent};
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use crate::Database;
use crate::database::TRUSTED_IDLE;
use crate::notify::Notifier;

/// Most commands in one insert.
const BATCH_COMMANDS: usize = 128;
/// Commands that may wait for the writer before callers wait to hand theirs in.
const QUEUE_COMMANDS: usize = 1024;
/// The constraints whose violation means that another command was faster; a data key is stored with the first event.
const OPTIMISTIC_LOCKS: [&str; 2] = ["events_pkey", "data_keys_pkey"];

/// The events of one command.
#[derive(Debug, Default)]
pub struct NewEvents {
    pub(crate) events: Vec<SerializedEvent>,
    /// The id and the wrapped form of the data key that is stored with them.
    data_key: Option<(Uuid, Vec<u8>)>,
}

impl From<Vec<SerializedEvent>> for NewEvents {
    /// Events that are stored as they are: nothing of them is encrypted.
    fn from(events: Vec<SerializedEvent>) -> Self {
        Self { events, data_key: None }
    }
}

impl NewEvents {
    pub(crate) fn with_data_key(data_key: Option<(Uuid, Vec<u8>)>) -> Self {
        Self { events: vec![], data_key }
    }
}

/// The events of one command and the channel that waits for the outcome.
struct Append {
    new: NewEvents,
    answer: oneshot::Sender<Result<(), PersistenceError>>,
}

/// Hands events to the writer. Cheap to clone; the writer ends with the last clone.
#[derive(Debug, Clone)]
pub struct Appender {
    queue: mpsc::Sender<Append>,
}

impl Appender {
    /// Starts the writer, which opens its connection when the first events come.
    pub fn start(database: &Database) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_COMMANDS);
        let writer = Writer {
            options: database.connect_options().clone(),
            connection: None,
            used: Instant::now(),
            notifier: Notifier::start(database.pool().clone()),
        };
        tokio::spawn(writer.run(waiting));
        Self { queue }
    }

    /// Appends the events of one command, at least one, all or none; returns once they are durable.
    ///
    /// # Errors
    /// `OptimisticLockError` if the aggregate has moved on; `ConnectionError` if the database does not answer, in
    /// which case the events may or may not have been stored.
    pub async fn append(&self, new: NewEvents) -> Result<(), PersistenceError> {
        let (answer, outcome) = oneshot::channel();
        self.queue.send(Append { new, answer }).await.map_err(|_| writer_gone())?;
        outcome.await.map_err(|_| writer_gone())?
    }
}

fn writer_gone() -> PersistenceError {
    PersistenceError::ConnectionError("the event writer has stopped".into())
}

struct Writer {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    /// When the connection was last used.
    used: Instant,
    notifier: Notifier,
}

impl Writer {
    async fn run(mut self, mut waiting: mpsc::Receiver<Append>) {
        let mut batch = Vec::with_capacity(BATCH_COMMANDS);
        while waiting.recv_many(&mut batch, BATCH_COMMANDS).await > 0 {
            self.write(std::mem::take(&mut batch)).await;
        }
    }

    async fn write(&mut self, batch: Vec<Append>) {
        let all: Vec<&NewEvents> = batch.iter().map(|append| &append.new).collect();
        match self.insert(&all).await {
            Ok(()) => answer_all(batch, || Ok(())),
            // One of them was too late, and the insert is all or nothing: let each have its own outcome.
            Err(error) if is_conflict(&error) && batch.len() > 1 => {
                for append in batch {
                    let outcome = self.insert(&[&append.new]).await;
                    // A caller that was dropped does not need its answer.
                    let _ = append.answer.send(outcome.map_err(into_persistence_error));
                }
            }
            Err(error) if is_conflict(&error) => answer_all(batch, || Err(PersistenceError::OptimisticLockError)),
            Err(error) => {
                let text = error.to_string();
                answer_all(batch, || Err(PersistenceError::ConnectionError(text.clone().into())));
            }
        }
        self.notifier.notify();
    }

    async fn insert(&mut self, new: &[&NewEvents]) -> Result<(), sqlx::Error> {
        self.drop_if_dead().await;
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.options.connect().await?),
        };
        let outcome = insert(connection, new).await;
        self.used = Instant::now();
        if outcome.as_ref().is_err_and(|error| !is_conflict(error))
            && let Some(broken) = self.connection.take()
        {
            // Closing may fail on a connection that is already gone.
            let _ = broken.close_hard().await;
        }
        outcome
    }

    /// A restart of the server that is noticed here costs nothing; noticed by the insert, it fails a command.
    async fn drop_if_dead(&mut self) {
        if self.used.elapsed() > TRUSTED_IDLE
            && let Some(connection) = &mut self.connection
            && connection.ping().await.is_err()
            && let Some(dead) = self.connection.take()
        {
            // Closing fails on a connection that is already gone.
            let _ = dead.close_hard().await;
        }
    }
}

async fn insert(connection: &mut PgConnection, new: &[&NewEvents]) -> Result<(), sqlx::Error> {
    let events: Vec<&SerializedEvent> = new.iter().flat_map(|new| &new.events).collect();
    let text = |column: fn(&SerializedEvent) -> &str| events.iter().map(|e| column(e)).collect::<Vec<&str>>();
    let json = |column: fn(&SerializedEvent) -> &Value| events.iter().map(|e| column(e)).collect::<Vec<&Value>>();
    let sequences: Vec<i64> = events.iter().map(|e| i64::try_from(e.sequence).unwrap_or(i64::MAX)).collect();
    let keys = || new.iter().filter_map(|new| new.data_key.as_ref());
    let key_ids: Vec<String> = keys().map(|(id, _)| id.to_string()).collect();
    let wrapped: Vec<&[u8]> = keys().map(|(_, wrapped)| wrapped.as_slice()).collect();
    sqlx::query!(
        "WITH new_keys AS (
             INSERT INTO data_keys (id, wrapped) SELECT id, wrapped FROM UNNEST($8::text[], $9::bytea[]) AS new(id, wrapped))
         INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
         SELECT aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata
           FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::jsonb[], $7::jsonb[])
                WITH ORDINALITY AS new(aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                                       ordinal)
          ORDER BY ordinal",
        text(|e| &e.aggregate_type) as _,
        text(|e| &e.aggregate_id) as _,
        &sequences,
        text(|e| &e.event_type) as _,
        text(|e| &e.event_version) as _,
        json(|e| &e.payload) as _,
        json(|e| &e.metadata) as _,
        &key_ids,
        wrapped as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn answer_all(batch: Vec<Append>, outcome: impl Fn() -> Result<(), PersistenceError>) {
    for append in batch {
        // A caller that was dropped does not need its answer.
        let _ = append.answer.send(outcome());
    }
}

fn is_conflict(error: &sqlx::Error) -> bool {
    let constraint = error.as_database_error().and_then(|error| error.constraint());
    constraint.is_some_and(|constraint| OPTIMISTIC_LOCKS.contains(&constraint))
}

fn into_persistence_error(error: sqlx::Error) -> PersistenceError {
    if is_conflict(&error) {
        PersistenceError::OptimisticLockError
    } else {
        PersistenceError::ConnectionError(Box::new(error))
    }
}
