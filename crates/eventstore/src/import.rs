//! Fills an empty store with exported events, all or none.

use std::collections::{HashMap, HashSet};

use sqlx::error::DatabaseError;
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;
use ytcaption_domain::EventMetadata;

use crate::encryption::{DataKeys, KeysImported};
use crate::export::{Begin, End, ExportLine};
use crate::import_error::{ImportError, LineError};
use crate::seal::{Chain, Checkpoint, Link, Seal};
use crate::{ExportedEvent, begin};

/// Events in one insert.
const BATCH_EVENTS: usize = 500;

/// Postgres' code for what a role may not do.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// What was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// How many events.
    pub events: u64,
    /// How many seals.
    pub seals: u64,
    /// How many jobs have their data key and how many have none.
    pub data_keys: KeysImported,
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
        let mut transaction = begin(pool).await?;
        let lock = sqlx::query!("LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE");
        lock.execute(&mut *transaction).await.map_err(|error| {
            match error.as_database_error().and_then(DatabaseError::code).as_deref() {
                Some(INSUFFICIENT_PRIVILEGE) => ImportError::NotOwner,
                _ => error.into(),
            }
        })?;
        let count = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM events"#);
        let count = count.fetch_one(&mut *transaction).await?;
        if count > 0 {
            return Err(ImportError::NotEmpty(count));
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

    /// Makes what was added durable and visible, with the data keys in the text of their file. Without it, personal content
    /// reads as erased.
    ///
    /// # Errors
    /// The export is cut off, the file of data keys is malformed, or the database refuses the last lines or does not answer.
    pub async fn finish(mut self, data_keys: Option<&str>) -> Result<Imported, ImportError> {
        if !self.check.ended {
            return Err(ImportError::CutOff(self.check.lines));
        }
        self.flush().await?;
        self.insert_seals().await?;
        let data_keys = match data_keys {
            Some(file) => DataKeys::import(&mut self.transaction, file.lines()).await?,
            None => DataKeys::coverage(&mut self.transaction).await?,
        };
        self.transaction.commit().await?;
        Ok(Imported { events: self.check.chain.events, seals: self.seals.len() as u64, data_keys })
    }

    async fn insert_seals(&mut self) -> Result<(), sqlx::Error> {
        let text = |column: fn(&Seal) -> &str| self.seals.iter().map(|(seal, _)| column(seal)).collect::<Vec<&str>>();
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let numbers: Vec<i64> = self.seals.iter().map(|(seal, _)| number(seal.number)).collect();
        let fingerprints: Vec<&[u8]> = self.seals.iter().map(|(seal, _)| seal.fingerprints.as_slice()).collect();
        let events: Vec<i64> = self.seals.iter().map(|(_, events)| number(*events)).collect();
        // The cursor of a seal is that of the last event it covers; all events have been added.
        let insert = sqlx::query!(
            "INSERT INTO seals (number, fingerprints, note, signed_by, transaction_id, position)
             SELECT new.number, new.fingerprints, new.note, new.signed_by, e.transaction_id, e.position
               FROM UNNEST($1::bigint[], $2::bytea[], $3::text[], $4::text[], $5::bigint[])
                    AS new(number, fingerprints, note, signed_by, events)
               JOIN (SELECT row_number() OVER (ORDER BY transaction_id, position) AS events, transaction_id, position
                       FROM events) e USING (events)",
            &numbers,
            fingerprints as _,
            text(|seal| &seal.note) as _,
            text(|seal| &seal.signed_by) as _,
            &events,
        );
        insert.execute(&mut *self.transaction).await?;
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), ImportError> {
        let batch = std::mem::take(&mut self.batch);
        let (Some((first, _)), Some((last, _))) = (batch.first(), batch.last()) else { return Ok(()) };
        let events: Vec<&ExportedEvent> = batch.iter().map(|(_, event)| event).collect();
        let text = |column: fn(&ExportedEvent) -> &str| events.iter().map(|event| column(event)).collect::<Vec<&str>>();
        let sequences: Vec<i64> = events.iter().map(|e| i64::try_from(e.sequence).unwrap_or(i64::MAX)).collect();
        let recorded_at: Vec<_> = events.iter().map(|e| e.recorded_at).collect();
        // Positions are given in the order of the lines, so the order of the feed is that of the export.
        let insert = sqlx::query!(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, recorded_at, payload,
                                 metadata)
             SELECT aggregate_type, aggregate_id, sequence, event_type, event_version, recorded_at, payload::jsonb,
                    metadata::jsonb
               FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[], $7::text[],
                           $8::text[])
                    WITH ORDINALITY AS new(aggregate_type, aggregate_id, sequence, event_type, event_version, recorded_at,
                                           payload, metadata, ordinal)
              ORDER BY ordinal",
            text(|e| &e.aggregate_type) as _,
            text(|e| &e.aggregate_id) as _,
            &sequences,
            text(|e| &e.event_type) as _,
            text(|e| &e.event_version) as _,
            &recorded_at,
            text(|e| e.payload.get()) as _,
            text(|e| e.metadata.get()) as _,
        );
        let inserted = insert.execute(&mut *self.transaction).await;
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

/// What has been read so far: enough to decide whether the next line can follow.
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
        self.parse_line(line).map_err(|error| ImportError::Line { line: self.lines, error })
    }

    fn parse_line(&mut self, line: &str) -> Result<Next, LineError> {
        let line = ExportLine::parse(line).map_err(malformed)?;
        if self.ended {
            return Err(LineError::Misplaced);
        }
        match line {
            ExportLine::Begin(begin) if self.lines == 1 && begin.is_known() => self.begun = Some(begin),
            ExportLine::Begin(_) => return Err(LineError::Begin),
            _ if self.begun.is_none() => return Err(LineError::NoBegin),
            ExportLine::Event(event) => {
                self.event(&event)?;
                self.chain.add(Link::from_event(&event).map_err(malformed)?.hash);
                return Ok(Next::Event(event));
            }
            ExportLine::Seal(seal) => {
                self.seals += 1;
                let fits = |said: Checkpoint| said.chain == self.chain && seal.number == self.seals;
                if !Checkpoint::parse(&seal.note).is_some_and(fits) {
                    return Err(LineError::Altered(self.chain.events));
                }
                return Ok(Next::Seal(seal));
            }
            ExportLine::End(end) => {
                if end != End::from_chain(self.chain) || self.begun.is_none_or(|begin| begin.seals != self.seals) {
                    return Err(LineError::Altered(self.chain.events));
                }
                self.ended = true;
            }
        }
        Ok(Next::Framing)
    }

    fn event(&mut self, event: &ExportedEvent) -> Result<(), LineError> {
        let metadata: HashMap<String, String> = serde_json::from_str(event.metadata.get()).map_err(malformed)?;
        let metadata = EventMetadata::from_map(&metadata)?;
        let newest = self.newest.entry((event.aggregate_type.clone(), event.aggregate_id.clone())).or_default();
        let aggregate = || format!("{} {}", event.aggregate_type, event.aggregate_id);
        if event.sequence <= *newest {
            return Err(LineError::Duplicate { aggregate: aggregate(), sequence: event.sequence });
        }
        if event.sequence > *newest + 1 {
            return Err(LineError::Gap { aggregate: aggregate(), expected: *newest + 1, found: event.sequence });
        }
        if !self.ids.insert(metadata.event_id) {
            return Err(LineError::DuplicateId(metadata.event_id));
        }
        *newest = event.sequence;
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
fn malformed(error: serde_json::Error) -> LineError {
    LineError::Malformed(error.to_string())
}
