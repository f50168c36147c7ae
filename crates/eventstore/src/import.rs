//! Fills an empty store with exported events, all or none.

use std::collections::{HashMap, HashSet};

use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;
use ytcaption_domain::{EventMetadata, MetadataError};

use crate::ExportedEvent;

/// Events in one insert.
const BATCH_EVENTS: usize = 500;

/// Positions are given in the order of the lines, so the order of the feed is that of the export.
const INSERT: &str = "
    INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, recorded_at, payload, metadata)
    SELECT aggregate_type, aggregate_id, sequence, event_type, event_version, recorded_at, payload::jsonb,
           metadata::jsonb
    FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[])
         WITH ORDINALITY AS new(aggregate_type, aggregate_id, sequence, event_type, event_version, recorded_at,
                                payload, metadata, place)
    ORDER BY place";

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There are events already.
    #[error(
        "the store is not empty, it holds {0} events; import into a database of its own \
         (createdb, then DATABASE_URL=… ytcaption events import)"
    )]
    NotEmpty(i64),
    /// A line cannot be part of a history.
    #[error("line {line}: {fault}; nothing was imported")]
    Line {
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// The database does not take some of these lines.
    #[error("lines {first} to {last}: the database refuses them: {source}; nothing was imported")]
    Refused {
        /// The first line of those that were handed over together.
        first: u64,
        /// The last one.
        last: u64,
        /// What the database says.
        source: sqlx::Error,
    },
    /// The database does not answer.
    #[error("the database does not answer: {0}; nothing was imported")]
    Unavailable(#[from] sqlx::Error),
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineFault {
    /// It is not JSON, or not an event.
    #[error("it is no exported event: {0}")]
    Malformed(String),
    /// Its metadata lacks something.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Events are missing before it.
    #[error("a gap: {aggregate} has event {found} here, but event {expected} is missing before it")]
    Gap {
        /// The aggregate, as `type id`.
        aggregate: String,
        /// The event that should stand here.
        expected: u64,
        /// The one that does.
        found: u64,
    },
    /// The event stood there before.
    #[error("a duplicate: {aggregate} has had event {sequence} before")]
    Duplicate {
        /// The aggregate, as `type id`.
        aggregate: String,
        /// The event.
        sequence: u64,
    },
    /// Another event has this id.
    #[error("a duplicate: another event has the id {0}")]
    DuplicateId(Uuid),
}

/// An import under way. Nothing is there before [`Importer::finish`]; dropped, it leaves no trace.
pub struct Importer {
    transaction: Transaction<'static, Postgres>,
    check: Check,
    batch: Vec<ExportedEvent>,
}

impl Importer {
    /// Begins an import. The store takes no other events until it ends.
    ///
    /// # Errors
    /// The store is not empty, or the database does not answer.
    pub async fn begin(pool: &PgPool) -> Result<Self, ImportError> {
        let mut transaction = pool.begin().await?;
        sqlx::query("LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE").execute(&mut *transaction).await?;
        let there: i64 = sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&mut *transaction).await?;
        if there > 0 {
            return Err(ImportError::NotEmpty(there));
        }
        Ok(Self { transaction, check: Check::default(), batch: Vec::with_capacity(BATCH_EVENTS) })
    }

    /// Adds the next line of an export.
    ///
    /// # Errors
    /// The line cannot follow on those before it, or the database refuses it or does not answer.
    pub async fn add(&mut self, line: &str) -> Result<(), ImportError> {
        let event = self.check.next(line)?;
        self.batch.push(event);
        if self.batch.len() == BATCH_EVENTS { self.flush().await } else { Ok(()) }
    }

    /// Makes what was added durable and visible; returns how many events that are.
    ///
    /// # Errors
    /// The database refuses the last lines or does not answer.
    pub async fn finish(mut self) -> Result<u64, ImportError> {
        self.flush().await?;
        self.transaction.commit().await?;
        Ok(self.check.lines)
    }

    async fn flush(&mut self) -> Result<(), ImportError> {
        let events = std::mem::take(&mut self.batch);
        let text = |column: fn(&ExportedEvent) -> &str| events.iter().map(column).collect::<Vec<&str>>();
        let inserted = sqlx::query(INSERT)
            .bind(text(|e| &e.aggregate_type))
            .bind(text(|e| &e.aggregate_id))
            .bind(events.iter().map(|e| i64::try_from(e.sequence).unwrap_or(i64::MAX)).collect::<Vec<i64>>())
            .bind(text(|e| &e.event_type))
            .bind(text(|e| &e.event_version))
            .bind(events.iter().map(|e| e.recorded_at).collect::<Vec<_>>())
            .bind(text(|e| e.payload.get()))
            .bind(text(|e| e.metadata.get()))
            .execute(&mut *self.transaction)
            .await;
        match inserted {
            Ok(_) => Ok(()),
            Err(source @ sqlx::Error::Database(_)) => {
                let last = self.check.lines;
                Err(ImportError::Refused { first: last + 1 - events.len() as u64, last, source })
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What has been read so far: enough to tell whether the next line can follow.
#[derive(Debug, Default)]
struct Check {
    lines: u64,
    newest: HashMap<(String, String), u64>,
    ids: HashSet<Uuid>,
}

impl Check {
    fn next(&mut self, line: &str) -> Result<ExportedEvent, ImportError> {
        self.lines += 1;
        self.read(line).map_err(|fault| ImportError::Line { line: self.lines, fault })
    }

    fn read(&mut self, line: &str) -> Result<ExportedEvent, LineFault> {
        let malformed = |error: serde_json::Error| LineFault::Malformed(error.to_string());
        let event: ExportedEvent = serde_json::from_str(line).map_err(malformed)?;
        let metadata: HashMap<String, String> = serde_json::from_str(event.metadata.get()).map_err(malformed)?;
        let metadata = EventMetadata::from_map(&metadata)?;
        let newest = self.newest.entry((event.aggregate_type.clone(), event.aggregate_id.clone())).or_default();
        let aggregate = || format!("{} {}", event.aggregate_type, event.aggregate_id);
        if event.sequence <= *newest {
            return Err(LineFault::Duplicate { aggregate: aggregate(), sequence: event.sequence });
        }
        if event.sequence > *newest + 1 {
            return Err(LineFault::Gap { aggregate: aggregate(), expected: *newest + 1, found: event.sequence });
        }
        if !self.ids.insert(metadata.event_id) {
            return Err(LineFault::DuplicateId(metadata.event_id));
        }
        *newest = event.sequence;
        Ok(event)
    }
}
