//! The one way to change anything: load, decide, append; again if somebody else was faster.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{EventStoreAggregateContext, PersistedEventStore};
use cqrs_es::{Aggregate, AggregateError, DomainEvent, EventStore};
use sqlx::PgPool;
use uuid::Uuid;
use ytcaption_domain::event::EventFamily;
use ytcaption_domain::{CommandContext, EventMetadata, Routed};

use crate::{Appender, Database, EventRepository, Stamp, read_stream};

/// How often a command is decided anew after others were faster.
const MAX_CONFLICTS: u32 = 8;
/// Pause before deciding anew, times the number of conflicts so far.
const CONFLICT_PAUSE: Duration = Duration::from_millis(3);
/// Digits of a second in the stored time of an event: microseconds.
const STORED_TIME_DIGITS: u16 = 6;

/// What came of a command.
#[derive(Debug, Clone)]
pub struct Executed<A: Aggregate> {
    /// The aggregate after the command.
    pub aggregate: A,
    /// How many events the aggregate has; its version.
    pub version: u64,
    /// The events the command led to; none if what it asked for was already so.
    pub events: Vec<A::Event>,
    /// When it was decided; the time its events carry, in whole microseconds as they are stored.
    pub decided_at: DateTime<Utc>,
}

/// Why a command had no effect.
#[derive(Debug, thiserror::Error)]
pub enum CommandError<E: std::error::Error> {
    /// The aggregate refuses it.
    #[error(transparent)]
    Rejected(E),
    /// Others kept changing the aggregate.
    #[error("others keep changing it; try again")]
    Conflict,
    /// The database does not answer; the command may or may not have been carried out.
    #[error("the event store does not answer: {0}")]
    Unavailable(String),
    /// The aggregate has events that this program cannot read.
    #[error("{0}")]
    Unreadable(String),
}

impl<E: std::error::Error> From<AggregateError<E>> for CommandError<E> {
    fn from(error: AggregateError<E>) -> Self {
        match error {
            AggregateError::UserError(rejection) => Self::Rejected(rejection),
            AggregateError::AggregateConflict => Self::Conflict,
            AggregateError::DeserializationError(error) => Self::Unreadable(error.to_string()),
            AggregateError::DatabaseConnectionError(error) | AggregateError::UnexpectedError(error) => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}

/// Carries out commands on aggregates of one kind.
pub struct CommandBus<A: Aggregate> {
    store: PersistedEventStore<EventRepository, A>,
    stamp: Stamp,
    pool: PgPool,
}

impl<A> CommandBus<A>
where
    A: Aggregate<Services = ()> + Routed + Clone,
    A::Command: Clone,
    A::Event: EventFamily,
{
    /// A bus over a database; buses of one process share the appender.
    pub fn new(database: &Database, appender: Appender, stamp: Stamp) -> Self {
        let repository = EventRepository::new::<A::Event>(database.pool().clone(), appender, stamp);
        Self { store: PersistedEventStore::new_event_store(repository), stamp, pool: database.pool().clone() }
    }

    /// Carries out the command that brings an aggregate into being, without a look at what is stored.
    ///
    /// # Errors
    /// See [`CommandError`]; [`CommandError::Conflict`] if the id is taken.
    pub async fn create(
        &self,
        id: Uuid,
        command: A::Command,
        context: &CommandContext,
    ) -> Result<Executed<A>, CommandError<A::Error>> {
        let unborn = EventStoreAggregateContext {
            aggregate_id: id.to_string(),
            aggregate: A::default(),
            current_sequence: 0,
            current_snapshot: None,
        };
        self.decide_and_append(id, unborn, command, context).await
    }

    /// Carries out a command on an aggregate.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn execute(
        &self,
        id: Uuid,
        command: A::Command,
        context: &CommandContext,
    ) -> Result<Executed<A>, CommandError<A::Error>> {
        let mut conflicts = 0;
        loop {
            let loaded = self.load_aggregate(id).await?;
            match self.decide_and_append(id, loaded, command.clone(), context).await {
                Err(CommandError::Conflict) if conflicts < MAX_CONFLICTS => {
                    conflicts += 1;
                    tokio::time::sleep(CONFLICT_PAUSE * conflicts).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// The aggregate as it stands and its version; the default and 0 if it does not exist.
    ///
    /// # Errors
    /// The store does not answer, or holds events that this program cannot read.
    pub async fn load(&self, id: Uuid) -> Result<(A, u64), CommandError<A::Error>> {
        let context = self.load_aggregate(id).await?;
        Ok((context.aggregate, context.current_sequence as u64))
    }

    async fn load_aggregate(&self, id: Uuid) -> Result<EventStoreAggregateContext<A>, CommandError<A::Error>> {
        match self.store.load_aggregate(&id.to_string()).await {
            Err(AggregateError::DeserializationError(error)) => Err(self.unreadable(id, &*error).await),
            loaded => Ok(loaded?),
        }
    }

    /// Which event it is that cannot be read. Looked up only now: those who load an aggregate every day need not pay.
    async fn unreadable(&self, id: Uuid, error: &(dyn std::error::Error + Send + Sync)) -> CommandError<A::Error> {
        let events = match read_stream(&self.pool, A::TYPE, &id.to_string()).await {
            Ok(events) => events,
            Err(error) => return CommandError::Unavailable(error.to_string()),
        };
        let fault = events.iter().find_map(|event| event.decode::<A::Event>().err());
        CommandError::Unreadable(fault.map_or_else(|| error.to_string(), |fault| fault.to_string()))
    }

    async fn decide_and_append(
        &self,
        id: Uuid,
        mut loaded: EventStoreAggregateContext<A>,
        command: A::Command,
        context: &CommandContext,
    ) -> Result<Executed<A>, CommandError<A::Error>> {
        let sink = EventSink::default();
        loaded.aggregate.handle(command, &(), &sink).await.map_err(CommandError::Rejected)?;
        let events = sink.collect().await;
        let aggregate = loaded.aggregate.clone();
        let version = (loaded.current_sequence + events.len()) as u64;
        let decided_at = (self.stamp.now)().trunc_subsecs(STORED_TIME_DIGITS);
        if !events.is_empty() {
            let metadata = EventMetadata {
                // The repository gives every event an id of its own.
                event_id: Uuid::nil(),
                occurred_at: decided_at,
                route: aggregate.route().to_owned(),
                data_key: events[0].data_key_id(id),
                context: context.clone(),
            };
            self.store.commit(events.clone(), loaded, metadata.to_map()).await?;
            for event in &events {
                ytcaption_telemetry::metrics::event_appended(&event.event_type());
            }
        }
        Ok(Executed { aggregate, version, events, decided_at })
    }
}
