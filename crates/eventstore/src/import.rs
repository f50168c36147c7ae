//! Fills an empty store with exported events, all or none.

use std::collections::{HashMap, HashSet};

use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;
use ytcaption_domain::{EventMetadata, MetadataError};

use crate::ExportedEvent;
use crate::export::{Begin, End, ExportLine};
use crate::seal::{Chain, Checkpoint, Link, Seal};

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

/// `transaction_id` and `position` are those of the last event that a seal covers; all events have been added.
const INSERT_SEALS: &str = "
    INSERT INTO seals (number, prints, note, signed_by, transaction_id, position)
    SELECT new.number, new.prints, new.note, new.signed_by, e.transaction_id, e.position
    FROM UNNEST($1::bigint[], $2::bytea[], $3::text[], $4::text[], $5::bigint[])
         AS new(number, prints, note, signed_by, events)
    JOIN (SELECT row_number() OVER (ORDER BY transaction_id, position) AS events, transaction_id, position
            FROM events) e USING (events)";

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
    /// The last line of an export is not there.
    #[error(
        "the export is cut off after line {0}: its last line is missing; nothing was imported. Take a complete copy"
    )]
    CutOff(u64),
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
    /// The first line of an export stands elsewhere, or is of another form.
    #[error("an export does not go on so: it begins here anew, or is of a newer version of this program")]
    Begin,
    /// Something follows on the last line, or it stands in an export of an earlier form.
    #[error("it does not belong here: the export has ended before, or did not begin as one with seals does")]
    Misplaced,
    /// The events are not those that the export was written with.
    #[error(
        "the {0} events before it are not those that were exported: lines were changed, removed or inserted; \
         `ytcaption events verify --from-file` says which"
    )]
    Altered(u64),
}

/// What was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// How many events.
    pub events: u64,
    /// How many seals.
    pub seals: u64,
    /// Whether the file could be checked for completeness; exports of earlier versions have no last line.
    pub checked: bool,
}

/// An import under way. Nothing is there before [`Importer::finish`]; dropped, it leaves no trace.
pub struct Importer {
    transaction: Transaction<'static, Postgres>,
    check: Check,
    /// Events with the numbers of their lines.
    batch: Vec<(u64, ExportedEvent)>,
    seals: Vec<(Seal, u64)>,
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
        Ok(Self { transaction, check: Check::default(), batch: Vec::with_capacity(BATCH_EVENTS), seals: vec![] })
    }

    /// Adds the next line of an export.
    ///
    /// # Errors
    /// The line cannot follow on those before it, or the database refuses it or does not answer.
    pub async fn add(&mut self, line: &str) -> Result<(), ImportError> {
        match self.check.next(line)? {
            Next::Event(event) => self.batch.push((self.check.lines, *event)),
            Next::Seal(seal) => self.seals.push((seal, self.check.chain.events)),
            Next::Framing => {}
        }
        if self.batch.len() == BATCH_EVENTS { self.flush().await } else { Ok(()) }
    }

    /// Makes what was added durable and visible.
    ///
    /// # Errors
    /// The export is cut off, or the database refuses the last lines or does not answer.
    pub async fn finish(mut self) -> Result<Imported, ImportError> {
        if self.check.begun.is_some() && !self.check.ended {
            return Err(ImportError::CutOff(self.check.lines));
        }
        self.flush().await?;
        self.insert_seals().await?;
        self.transaction.commit().await?;
        Ok(Imported {
            events: self.check.chain.events,
            seals: self.seals.len() as u64,
            checked: self.check.begun.is_some(),
        })
    }

    async fn insert_seals(&mut self) -> Result<(), sqlx::Error> {
        let text = |column: fn(&Seal) -> &str| self.seals.iter().map(|(seal, _)| column(seal)).collect::<Vec<&str>>();
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        sqlx::query(INSERT_SEALS)
            .bind(self.seals.iter().map(|(seal, _)| number(seal.number)).collect::<Vec<i64>>())
            .bind(self.seals.iter().map(|(seal, _)| seal.prints.as_slice()).collect::<Vec<&[u8]>>())
            .bind(text(|seal| &seal.note))
            .bind(text(|seal| &seal.signed_by))
            .bind(self.seals.iter().map(|(_, events)| number(*events)).collect::<Vec<i64>>())
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), ImportError> {
        let batch = std::mem::take(&mut self.batch);
        let (Some((first, _)), Some((last, _))) = (batch.first(), batch.last()) else { return Ok(()) };
        let events: Vec<&ExportedEvent> = batch.iter().map(|(_, event)| event).collect();
        let text = |column: fn(&ExportedEvent) -> &str| events.iter().map(|event| column(event)).collect::<Vec<&str>>();
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
            Err(source @ sqlx::Error::Database(_)) => Err(ImportError::Refused { first: *first, last: *last, source }),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a line brings.
enum Next {
    Event(Box<ExportedEvent>),
    Seal(Seal),
    Framing,
}

/// What has been read so far: enough to tell whether the next line can follow.
#[derive(Debug, Default)]
struct Check {
    lines: u64,
    begun: Option<Begin>,
    ended: bool,
    chain: Chain,
    seals: u64,
    newest: HashMap<(String, String), u64>,
    ids: HashSet<Uuid>,
}

impl Check {
    fn next(&mut self, line: &str) -> Result<Next, ImportError> {
        self.lines += 1;
        self.read(line).map_err(|fault| ImportError::Line { line: self.lines, fault })
    }

    fn read(&mut self, line: &str) -> Result<Next, LineFault> {
        let line = ExportLine::read(line).map_err(malformed)?;
        if self.ended {
            return Err(LineFault::Misplaced);
        }
        match line {
            ExportLine::Begin(begin) if self.lines == 1 && begin.is_known() => self.begun = Some(begin),
            ExportLine::Begin(_) => return Err(LineFault::Begin),
            ExportLine::Event(event) => {
                self.event(&event)?;
                self.chain.add(Link::of(&event).map_err(malformed)?.hash);
                return Ok(Next::Event(event));
            }
            ExportLine::Seal(_) | ExportLine::End(_) if self.begun.is_none() => return Err(LineFault::Misplaced),
            ExportLine::Seal(seal) => {
                self.seals += 1;
                let fits = |said: Checkpoint| said.chain == self.chain && seal.number == self.seals;
                if !Checkpoint::read(&seal.note).is_some_and(fits) {
                    return Err(LineFault::Altered(self.chain.events));
                }
                return Ok(Next::Seal(seal));
            }
            ExportLine::End(end) => {
                if end != End::of(self.chain) || self.begun.is_none_or(|begin| begin.seals != self.seals) {
                    return Err(LineFault::Altered(self.chain.events));
                }
                self.ended = true;
            }
        }
        Ok(Next::Framing)
    }

    fn event(&mut self, event: &ExportedEvent) -> Result<(), LineFault> {
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
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
fn malformed(error: serde_json::Error) -> LineFault {
    LineFault::Malformed(error.to_string())
}
