//! Appends events durably, many commands in one insert.
//!
//! Two writers, each with a connection of its own, write batches in turn: while the disk flushes one batch, Postgres inserts
//! the next, and the one after that gathers. There is no artificial delay, so a lone command is written at once and
//! concurrent commands share the flush.

use std::sync::{Arc, Mutex, PoisonError};

use cqrs_es::persist::{PersistenceError, SerializedEvent};
use serde_json::Value;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use crate::Database;
use crate::database::TRUSTED_IDLE;
use crate::database_error::is_data_error;
use crate::notify::Notifier;

/// Batches that are written at a time.
const WRITERS: usize = 2;
/// Most commands in one insert.
const BATCH_COMMANDS: usize = 128;
/// Commands that may wait for the writer before callers wait to hand theirs in.
const QUEUE_COMMANDS: usize = 1024;
/// The constraints whose violation means that another command was faster; a data key is stored with the first event.
const OPTIMISTIC_LOCKS: [&str; 2] = ["events_pkey", "data_keys_pkey"];
/// Postgres' code for a transaction that it ended because two waited for each other; another process' batch was faster.
const DEADLOCK_DETECTED: &str = "40P01";
/// Postgres' class of codes for violated constraints.
const INTEGRITY_VIOLATIONS: &str = "23";

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
    fn aggregate_id(&self) -> Option<&str> {
        self.events.first().map(|event| event.aggregate_id.as_str())
    }

    pub(crate) fn with_data_key(data_key: Option<(Uuid, Vec<u8>)>) -> Self {
        Self { events: vec![], data_key }
    }
}

/// The events of one command and the channel that waits for the outcome.
struct Append {
    new: NewEvents,
    answer: oneshot::Sender<Result<(), PersistenceError>>,
}

/// Hands events to the writers. Cheap to clone; the writers end with the last clone.
#[derive(Debug, Clone)]
pub struct Appender {
    queue: mpsc::Sender<Append>,
}

impl Appender {
    /// Starts the writers. A writer opens its connection when events come for it.
    pub fn start(database: &Database) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_COMMANDS);
        let notifier = Arc::new(Notifier::start(database.pool().clone()));
        let writer = || Writer {
            options: database.connect_options().clone(),
            connection: None,
            used: Instant::now(),
            notifier: Arc::clone(&notifier),
        };
        tokio::spawn(dispatch(waiting, (0..WRITERS).map(|_| writer()).collect()));
        Self { queue }
    }

    /// Appends the events of one command, at least one, all or none; returns once they are durable.
    ///
    /// # Errors
    /// `OptimisticLockError` if the aggregate has moved on; `UnknownError` if the database refuses the events because of
    /// what is in them, however often it is tried; `ConnectionError` if the database does not answer, in which case the
    /// events may or may not have been stored.
    pub async fn append(&self, new: NewEvents) -> Result<(), PersistenceError> {
        let (answer, outcome) = oneshot::channel();
        self.queue.send(Append { new, answer }).await.map_err(|_| writer_gone())?;
        outcome.await.map_err(|_| writer_gone())?
    }
}

fn writer_gone() -> PersistenceError {
    PersistenceError::ConnectionError("the event writer has stopped".into())
}

/// Gives each batch to an idle writer: the one that was busy last, so that a lone caller keeps to one connection.
async fn dispatch(mut waiting: mpsc::Receiver<Append>, writers: Vec<Writer>) {
    let (permits, idle) = (Arc::new(Semaphore::new(writers.len())), Arc::new(Mutex::new(writers)));
    loop {
        // Commands gather while every writer is busy. The semaphore is never closed.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let mut batch = Vec::with_capacity(BATCH_COMMANDS);
        if waiting.recv_many(&mut batch, BATCH_COMMANDS).await == 0 {
            return;
        }
        let Some(mut writer) = idle.lock().unwrap_or_else(PoisonError::into_inner).pop() else { return };
        let idle = Arc::clone(&idle);
        tokio::spawn(async move {
            writer.write(batch).await;
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(writer);
            drop(permit);
        });
    }
}

struct Writer {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    /// When the connection was last used.
    used: Instant,
    notifier: Arc<Notifier>,
}

impl Writer {
    async fn write(&mut self, mut batch: Vec<Append>) {
        // In one order everywhere, so that no two batches wait for each other's aggregates.
        batch.sort_by(|a, b| a.new.aggregate_id().cmp(&b.new.aggregate_id()));
        let all: Vec<&NewEvents> = batch.iter().map(|append| &append.new).collect();
        match self.insert(&all).await {
            Ok(()) => answer_all(batch, || Ok(())),
            // One of them was too late or cannot be stored, and the insert is all or nothing: let each have its own outcome.
            Err(error) if is_of_one_command(&error) && batch.len() > 1 => {
                for append in batch {
                    let outcome = self.insert(&[&append.new]).await;
                    // A caller that was dropped does not need its answer.
                    let _ = append.answer.send(outcome.map_err(|error| into_persistence_error(&error)));
                }
            }
            Err(error) => answer_all(batch, || Err(into_persistence_error(&error))),
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
        if outcome.as_ref().is_err_and(|error| !is_of_one_command(error))
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
    error.as_database_error().is_some_and(|error| {
        error.constraint().is_some_and(|constraint| OPTIMISTIC_LOCKS.contains(&constraint))
            || error.code().is_some_and(|code| code == DEADLOCK_DETECTED)
    })
}

/// Whether the events of one command are the cause, and neither the server nor the connection.
fn is_of_one_command(error: &sqlx::Error) -> bool {
    is_conflict(error) || is_refused(error)
}

/// Whether the events can never be stored: because of a value in them, or of a constraint that they violate.
fn is_refused(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    is_data_error(error) || code.is_some_and(|code| code.starts_with(INTEGRITY_VIOLATIONS))
}

fn into_persistence_error(error: &sqlx::Error) -> PersistenceError {
    // The text alone: an answer goes to each command of a batch.
    let text = error.to_string().into();
    if is_conflict(error) {
        PersistenceError::OptimisticLockError
    } else if is_refused(error) {
        PersistenceError::UnknownError(text)
    } else {
        PersistenceError::ConnectionError(text)
    }
}
