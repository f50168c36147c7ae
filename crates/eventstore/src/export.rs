//! The whole store as lines of JSON, in commit order, and nothing left out but what belongs to the cluster alone:
//! transaction ids and positions.
//!
//! ```text
//! {"ytcaption_events_export":{"format":1,"seals":1}}
//! {"aggregate_type":"job",…}
//! {"seal":{"number":1,…}}                              after the last event that it covers
//! {"aggregate_type":"job",…}                           not sealed yet
//! {"ytcaption_events_end":{"events":2,"hash":"…"}}     without it, the file is cut off
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::exported;
use crate::feed::horizon;
use crate::seal::{Chain, Checkpoint, Link, Seal, newest_seal, seals_after};
use crate::{Cursor, Database, ExportedEvent};

/// Events read at a time.
const PAGE_EVENTS: u32 = 500;
/// Seals read at a time.
const PAGE_SEALS: u32 = 64;
/// The format that this program writes.
const FORMAT: u32 = 1;

/// What a line of an export can hold beside an event.
#[derive(Debug, Serialize, Deserialize)]
enum Framing {
    #[serde(rename = "ytcaption_events_export")]
    Begin(Begin),
    #[serde(rename = "seal")]
    Seal(Seal),
    #[serde(rename = "ytcaption_events_end")]
    End(End),
}

/// The first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// The format of what follows; this program knows 1.
    pub format: u32,
    /// How many seals are in it.
    pub seals: u64,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// How many events are in it.
    pub events: u64,
    /// The hash of their chain, in base64; see [`crate::seal`].
    pub hash: String,
}

impl End {
    /// The last line of an export with that chain.
    pub fn from_chain(chain: Chain) -> Self {
        Self { events: chain.events, hash: STANDARD.encode(chain.hash) }
    }
}

/// A line of an export.
#[derive(Debug)]
pub enum ExportLine {
    /// The first one.
    Begin(Begin),
    /// An event.
    Event(Box<ExportedEvent>),
    /// The seal of the events before it.
    Seal(Seal),
    /// The last one.
    End(End),
}

impl ExportLine {
    /// Parses a line.
    ///
    /// # Errors
    /// It is not a line of an export.
    pub fn parse(line: &str) -> Result<Self, serde_json::Error> {
        if !["{\"ytcaption_events_", "{\"seal\""].iter().any(|framing| line.starts_with(framing)) {
            return serde_json::from_str(line).map(Self::Event);
        }
        Ok(match serde_json::from_str(line)? {
            Framing::Begin(begin) => Self::Begin(begin),
            Framing::Seal(seal) => Self::Seal(seal),
            Framing::End(end) => Self::End(end),
        })
    }
}

impl Begin {
    /// Whether this program can read what follows.
    pub fn is_known(&self) -> bool {
        self.format == FORMAT
    }
}

/// Reads the store from its beginning to where it was final when the export began.
#[derive(Debug)]
pub struct Exporter {
    pool: PgPool,
    horizon: u64,
    after: Cursor,
    total: u64,
    chain: Chain,
    newest_seal: u64,
    read_seal: u64,
    /// Seals that end after the last exported event.
    seals: std::collections::VecDeque<Seal>,
    ended: bool,
}

impl Exporter {
    /// Begins an export. Events whose transaction has not ended, or that come later, are not part of it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn begin(database: &Database) -> Result<Self, sqlx::Error> {
        let pool = database.pool().clone();
        // In this order: what is sealed now is final then.
        let newest_seal = newest_seal(&pool).await?.map_or(0, |(seal, _)| seal.number);
        let horizon = horizon(&pool).await?;
        let total = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM events WHERE transaction_id < $1::text::xid8"#,
            horizon.to_string()
        );
        let total = total.fetch_one(&pool).await?;
        Ok(Self {
            pool,
            horizon,
            after: Cursor::default(),
            total: u64::try_from(total).unwrap_or_default(),
            chain: Chain::default(),
            newest_seal,
            read_seal: 0,
            seals: std::collections::VecDeque::new(),
            ended: false,
        })
    }

    /// How many events the export has.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many events were read so far.
    pub fn events(&self) -> u64 {
        self.chain.events
    }

    /// The next lines, without their ends; none after the last.
    ///
    /// # Errors
    /// The database does not answer, or a row cannot be read.
    pub async fn next_lines(&mut self) -> Result<Vec<String>, sqlx::Error> {
        let mut lines = Vec::new();
        if self.ended {
            return Ok(lines);
        }
        if self.chain.events == 0 {
            lines.push(framed(&Framing::Begin(Begin { format: FORMAT, seals: self.newest_seal }))?);
        }
        let page = exported::page(&self.pool, self.after, self.horizon, PAGE_EVENTS).await?;
        for placed in &page {
            self.chain.add(Link::from_event(&placed.event).map_err(unwritable)?.hash);
            lines.push(placed.event.to_line().map_err(unwritable)?);
            self.after = placed.cursor;
            self.due_seals(&mut lines).await?;
        }
        if page.is_empty() {
            while let Some(seal) = self.next_seal().await? {
                lines.push(framed(&Framing::Seal(seal))?);
            }
            lines.push(framed(&Framing::End(End::from_chain(self.chain)))?);
            self.ended = true;
        }
        Ok(lines)
    }

    /// Writes the seals that end with the last event.
    async fn due_seals(&mut self, lines: &mut Vec<String>) -> Result<(), sqlx::Error> {
        while let Some(seal) = self.next_seal().await? {
            // A seal that cannot be read is written here; verification of the export reports it.
            if Checkpoint::parse(&seal.note).is_some_and(|said| said.chain.events > self.chain.events) {
                self.seals.push_front(seal);
                return Ok(());
            }
            lines.push(framed(&Framing::Seal(seal))?);
        }
        Ok(())
    }

    async fn next_seal(&mut self) -> Result<Option<Seal>, sqlx::Error> {
        if self.seals.is_empty() && self.read_seal < self.newest_seal {
            self.seals = seals_after(&self.pool, self.read_seal, self.newest_seal, PAGE_SEALS).await?.into();
            // Also past what is missing at the end.
            self.read_seal = self.seals.back().map_or(self.newest_seal, |seal| seal.number);
        }
        Ok(self.seals.pop_front())
    }
}

fn framed(framing: &Framing) -> Result<String, sqlx::Error> {
    serde_json::to_string(framing).map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}
