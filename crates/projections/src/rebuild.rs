//! Builds a read model anew beside the live one, from the first event on, and lets queries see it in one step.
//!
//! The new rows are a generation of their own. No query reads it before the switch, so a rebuild that ends half-way
//! disturbs no query; the next one removes what it has left. It writes on the connection that holds its lock: when that is
//! lost so is the rebuild, and two can never fill one generation.

use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _, PgPool};
use ytcaption_eventstore::{CheckpointError, Checkpoints, Cursor, Database, Feed};

use crate::apply::apply;
use crate::parked::{count_parked, count_parked_only_in};
use crate::projection::Table;
use crate::projector::PAGE_EVENTS;
use crate::{RegisteredProjection, generation};

/// The lock's key: "ytcbuild" in ASCII.
const LOCK: i64 = i64::from_be_bytes(*b"ytcbuild");
/// Rows removed in one transaction: long ones hold back the feed.
const REMOVE_ROWS: i64 = 5_000;

/// Why a read model was not built anew.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// One at a time.
    #[error("another rebuild or verification is running in this database; try again when it has ended")]
    Busy,
    /// The new read model would know less than the live one.
    #[error(
        "this program cannot apply {0} events that are applied in the live read model, which stays as it is: is this an \
         older version of the program? `ytcaption replay verify` shows what would be lost, and --accept-parked switches \
         nevertheless"
    )]
    WouldLose(u64),
    /// Another process moved the checkpoint while it was held.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Unavailable(#[from] sqlx::Error),
}

/// A read model that is being built.
#[derive(Debug)]
pub struct Rebuild {
    pub(crate) projection: RegisteredProjection,
    /// Holds the lock, and writes all rows.
    pub(crate) connection: PgConnection,
    pub(crate) pool: PgPool,
    pub(crate) checkpoint: Checkpoints,
    pub(crate) live: i32,
    pub(crate) generation: i32,
    feed: Feed,
    cursor: Cursor,
    applied: u64,
    total: u64,
}

/// How a rebuild has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switched {
    /// Events that were read.
    pub events: u64,
    /// How many of them are parked.
    pub parked: u64,
    /// The generation that queries see from now on.
    pub generation: i32,
}

impl Rebuild {
    /// Begins a rebuild of a projection, and removes what an earlier one has left.
    ///
    /// # Errors
    /// Another one is running, or the database does not answer.
    pub async fn begin(database: &Database, projection: RegisteredProjection) -> Result<Self, RebuildError> {
        let mut connection = database.connect_options().connect().await?;
        let locked = sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "locked!""#, LOCK);
        if !locked.fetch_one(&mut connection).await? {
            return Err(RebuildError::Busy);
        }
        let live = generation::live(&mut connection, projection.name()).await?;
        remove_all_but(&mut connection, &projection, live).await?;
        let pool = database.pool().clone();
        let feed = Feed::new(database);
        let total = feed.lag(Cursor::default(), u32::MAX).await?;
        Ok(Self {
            connection,
            checkpoint: Checkpoints::new(pool.clone(), projection.name()),
            projection,
            pool,
            live,
            generation: live.wrapping_add(1),
            feed,
            cursor: Cursor::default(),
            applied: 0,
            total,
        })
    }

    /// Events read so far, and how many there were when it began.
    pub const fn progress(&self) -> (u64, u64) {
        (self.applied, self.total)
    }

    /// Reads on towards the end of the feed; false once it is there.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn advance(&mut self) -> Result<bool, RebuildError> {
        self.advance_to(None).await
    }

    /// Reads on towards where the live read model is; false once it is there.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn advance_to_live(&mut self) -> Result<bool, RebuildError> {
        let live = self.checkpoint.get().await?;
        self.advance_to(Some(live)).await
    }

    /// Applies the next page of the feed, but nothing after `end`.
    pub(crate) async fn advance_to(&mut self, end: Option<Cursor>) -> Result<bool, RebuildError> {
        let mut transaction = self.connection.begin().await?;
        let progress = Progress { cursor: &mut self.cursor, applied: &mut self.applied };
        let target = (&self.projection, self.generation);
        let more = progress.advance(&self.feed, &mut transaction, target, end).await?;
        transaction.commit().await?;
        Ok(more)
    }

    /// Lets queries see the new read model instead of the live one, in one step: what is still missing is applied while
    /// the live checkpoint is held, so that both are at the same event, and projectors go on from there in the new one.
    ///
    /// # Errors
    /// It would lose events that are applied in the live one, unless `accept_parked`; or the database does not answer.
    /// Then the live read model is as it was.
    pub async fn switch(&mut self, accept_parked: bool) -> Result<Switched, RebuildError> {
        let mut transaction = self.connection.begin().await?;
        let reached = self.checkpoint.lock(&mut transaction).await?;
        let mut more = true;
        while more {
            let progress = Progress { cursor: &mut self.cursor, applied: &mut self.applied };
            let target = (&self.projection, self.generation);
            more = progress.advance(&self.feed, &mut transaction, target, Some(reached)).await?;
        }
        let name = self.projection.name();
        let lost = count_parked_only_in(&mut *transaction, name, self.generation, self.live).await?;
        if lost > 0 && !accept_parked {
            return Err(RebuildError::WouldLose(lost));
        }
        if self.cursor > reached {
            self.checkpoint.advance(&mut *transaction, reached, self.cursor).await?;
        }
        let parked = count_parked(&mut *transaction, name, self.generation).await?;
        generation::switch(&mut *transaction, name, self.generation).await?;
        transaction.commit().await?;
        self.live = self.generation;
        Ok(Switched { events: self.applied, parked, generation: self.live })
    }

    /// Removes all rows that queries do not see, and lets others rebuild.
    ///
    /// # Errors
    /// The database does not answer; the next rebuild removes them then.
    pub async fn end(mut self) -> Result<(), RebuildError> {
        remove_all_but(&mut self.connection, &self.projection, self.live).await?;
        sqlx::query_scalar!("SELECT pg_advisory_unlock($1)", LOCK).fetch_one(&mut self.connection).await?;
        Ok(self.connection.close().await?)
    }
}

/// How far a rebuild has come.
struct Progress<'a> {
    cursor: &'a mut Cursor,
    applied: &'a mut u64,
}

impl Progress<'_> {
    async fn advance(
        self,
        feed: &Feed,
        connection: &mut PgConnection,
        (projection, generation): (&RegisteredProjection, i32),
        end: Option<Cursor>,
    ) -> Result<bool, sqlx::Error> {
        let mut page = feed.after(*self.cursor, PAGE_EVENTS).await?;
        page.retain(|event| end.is_none_or(|end| event.cursor <= end));
        let Some(last) = page.last() else { return Ok(false) };
        apply(projection, connection, generation, &page).await?;
        *self.cursor = last.cursor;
        *self.applied += page.len() as u64;
        Ok(true)
    }
}

/// Resets every generation of the projection but the live one.
async fn remove_all_but(
    connection: &mut PgConnection,
    projection: &RegisteredProjection,
    live: i32,
) -> Result<(), sqlx::Error> {
    for Table { name, is_shared, .. } in projection.tables() {
        let of_projection = if is_shared { format!("projection = '{projection}' AND ") } else { String::new() };
        // Each a range of the primary key.
        for other in ["generation < $1", "generation > $1"] {
            let remove = format!(
                "DELETE FROM {name} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {name} WHERE {of_projection}{other} LIMIT $2))"
            );
            while sqlx::query(&remove).bind(live).bind(REMOVE_ROWS).execute(&mut *connection).await?.rows_affected() > 0
            {
            }
        }
    }
    Ok(())
}
