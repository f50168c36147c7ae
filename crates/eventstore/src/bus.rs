//! The one way to change an aggregate: load, decide, append; again if another command was faster.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{EventStoreAggregateContext, PersistedEventStore, PersistenceError, SerializedEvent};
use cqrs_es::{Aggregate, AggregateError, DomainEvent, EventStore};
use uuid::Uuid;
use ytcaption_domain::event::EventFamily;
use ytcaption_domain::{CommandContext, EventMetadata, Routed};

use crate::append::NewEvents;
use crate::encryption::{DataKey, EventIdentity, KeyError, encrypt_payload};
use crate::repository::EventRepository;
use crate::{Appender, Clock, Database, IdGenerator, read_stream};

/// How often a command is decided anew after another one was faster.
const MAX_CONFLICTS: u32 = 8;
/// Delay before deciding anew, times the number of conflicts so far.
const CONFLICT_DELAY: Duration = Duration::from_millis(3);
/// Digits of a second in the stored time of an event: microseconds.
const STORED_TIME_DIGITS: u16 = 6;

/// The outcome of a command.
#[derive(Debug, Clone)]
pub struct Executed<A: Aggregate> {
    /// The aggregate after the command.
    pub aggregate: A,
    /// How many events the aggregate has; its version.
    pub version: u64,
    /// The events the command led to; none if it is a no-op.
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
    /// Other commands kept changing the aggregate.
    #[error("other commands keep changing it; try again")]
    Conflict,
    /// The database refuses the events because of what is in them. The same command fails again; nothing was stored.
    #[error("the event store cannot store the events of the command: {0}")]
    Unstorable(String),
    /// The database does not answer; the command may or may not have been carried out.
    #[error("the event store does not answer: {0}")]
    Unavailable(String),
    /// The aggregate has events that this program cannot read.
    #[error("{0}")]
    Unreadable(String),
}

impl<E: std::error::Error> CommandError<E> {
    #[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
    fn from_key(error: KeyError) -> Self {
        match error {
            KeyError::DataKey(_) => Self::Unreadable(error.to_string()),
            KeyError::MasterKey(_) | KeyError::Unavailable(_) => Self::Unavailable(error.to_string()),
        }
    }
}

impl<E: std::error::Error> CommandError<E> {
    fn from_append(error: PersistenceError) -> Self {
        match error {
            PersistenceError::OptimisticLockError => Self::Conflict,
            PersistenceError::ConnectionError(error) => Self::Unavailable(error.to_string()),
            PersistenceError::DeserializationError(error) | PersistenceError::UnknownError(error) => {
                Self::Unstorable(error.to_string())
            }
        }
    }
}

impl<E: std::error::Error> From<AggregateError<E>> for CommandError<E> {
    fn from(error: AggregateError<E>) -> Self {
        match error {
            AggregateError::UserError(rejection) => Self::Rejected(rejection),
            AggregateError::AggregateConflict => Self::Conflict,
            AggregateError::DeserializationError(error) => Self::Unreadable(error.to_string()),
            // What postgres-es makes of most errors of a connection.
            AggregateError::DatabaseConnectionError(error) | AggregateError::UnexpectedError(error) => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}

/// Carries out commands on aggregates of one type.
pub struct CommandBus<A: Aggregate> {
    store: PersistedEventStore<EventRepository, A>,
    appender: Appender,
    clock: Clock,
    ids: IdGenerator,
    database: Database,
}

impl<A> CommandBus<A>
where
    A: Aggregate<Services = ()> + Routed + Clone,
    A::Command: Clone,
    A::Event: EventFamily,
{
    /// A bus over a database; buses of one process share the appender.
    pub fn new(database: &Database, appender: Appender, clock: Clock, ids: IdGenerator) -> Self {
        let store = PersistedEventStore::new_event_store(EventRepository::new::<A::Event>(database));
        Self { store, appender, clock, ids, database: database.clone() }
    }

    /// Carries out the command that creates an aggregate, without loading it.
    ///
    /// # Errors
    /// See [`CommandError`]; [`CommandError::Conflict`] if the id is taken.
    pub async fn create(
        &self,
        id: Uuid,
        command: A::Command,
        context: &CommandContext,
    ) -> Result<Executed<A>, CommandError<A::Error>> {
        let empty = EventStoreAggregateContext {
            aggregate_id: id.to_string(),
            aggregate: A::default(),
            current_sequence: 0,
            current_snapshot: None,
        };
        self.decide_and_append(id, empty, command, context).await
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
                    tokio::time::sleep(CONFLICT_DELAY * conflicts).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// The current state of the aggregate and its version; the default and 0 if it does not exist.
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

    /// Which event it is that cannot be read. Read only now, so that ordinary loads do not pay for it.
    async fn unreadable(&self, id: Uuid, error: &(dyn std::error::Error + Send + Sync)) -> CommandError<A::Error> {
        let events = match read_stream(&self.database, A::TYPE, &id.to_string()).await {
            Ok(events) => events,
            Err(error) => return CommandError::Unavailable(error.to_string()),
        };
        let error_of_event = events.iter().find_map(|event| event.decode::<A::Event>().err());
        CommandError::Unreadable(error_of_event.map_or_else(|| error.to_string(), |error| error.to_string()))
    }

    /// The data key of a command's events: a new one if the aggregate is created with it, else the stored one.
    async fn keys(&self, id: Uuid, current_sequence: usize, event: &A::Event) -> Result<CommandKey, KeyError> {
        let (data_key_id, keys) = (event.data_key_id(id), self.database.data_keys());
        if current_sequence == 0 && data_key_id == id {
            let (key, wrapped) = keys.generate(id)?;
            return Ok(CommandKey { key: Some(key), new: Some(wrapped) });
        }
        Ok(CommandKey { key: keys.get(data_key_id).await?, new: None })
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
        let aggregate = loaded.aggregate;
        let version = (loaded.current_sequence + events.len()) as u64;
        let decided_at = self.clock.now().trunc_subsecs(STORED_TIME_DIGITS);
        if !events.is_empty() {
            let keys = self.keys(id, loaded.current_sequence, &events[0]).await.map_err(CommandError::from_key)?;
            let mut new = NewEvents::with_data_key(keys.new.map(|wrapped| (id, wrapped)));
            for (event, sequence) in events.iter().zip(loaded.current_sequence as u64 + 1..) {
                let metadata = EventMetadata {
                    event_id: self.ids.new_id(),
                    occurred_at: decided_at,
                    route: aggregate.route().to_owned(),
                    data_key: Some(event.data_key_id(id)).filter(|key| *key != id),
                    context: context.clone(),
                };
                new.events.push(serialize::<A>(event, &loaded.aggregate_id, sequence, &metadata, keys.key.as_ref())?);
            }
            self.appender.append(new).await.map_err(CommandError::from_append)?;
        }
        for event in &events {
            ytcaption_telemetry::metrics::event_appended(&event.event_type());
        }
        Ok(Executed { aggregate, version, events, decided_at })
    }
}

/// The key that encrypts the events of a command.
struct CommandKey {
    /// None if it was destroyed.
    key: Option<DataKey>,
    /// Its wrapped form, to be stored, if it is new.
    new: Option<Vec<u8>>,
}

fn serialize<A: Aggregate>(
    event: &A::Event,
    aggregate_id: &str,
    sequence: u64,
    metadata: &EventMetadata,
    key: Option<&DataKey>,
) -> Result<SerializedEvent, CommandError<A::Error>>
where
    A::Event: EventFamily,
{
    let unwritable = |error: serde_json::Error| CommandError::Unstorable(error.to_string());
    let event_type = event.event_type();
    let mut payload = serde_json::to_value(event).map_err(unwritable)?;
    let identity = EventIdentity { aggregate_type: A::TYPE, aggregate_id, sequence, event_type: &event_type };
    let personal =
        A::Event::TYPES.iter().find(|known| known.name == event_type).map_or(&[][..], |known| known.personal);
    encrypt_payload(key, identity, personal, &mut payload)
        .map_err(|error| CommandError::Unstorable(error.to_string()))?;
    Ok(SerializedEvent {
        aggregate_id: aggregate_id.to_owned(),
        sequence: usize::try_from(sequence).unwrap_or(usize::MAX),
        aggregate_type: A::TYPE.to_owned(),
        event_version: event.event_version(),
        event_type,
        payload,
        metadata: metadata.to_json(),
    })
}
