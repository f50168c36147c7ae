//! The tables of a backup, as data: what `COPY` writes and reads, and no statement that a server would execute.
//!
//! The schema of a restored database is always made by this program's own migrations.

use futures::stream::BoxStream;
use sqlx::PgConnection;
use sqlx::postgres::PgCopyIn;

use crate::Database;

/// A table that a backup contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DumpedTable(&'static str);

/// All of them. The data keys are in a file of their own, and the read models are made again from the events.
pub const DUMPED_TABLES: [DumpedTable; 5] = [
    DumpedTable("events"),
    DumpedTable("seals"),
    DumpedTable("checkpoints"),
    DumpedTable("relay_stream"),
    DumpedTable("relay_messages"),
];

/// Begins a transaction that sees the database as of one moment.
pub const BEGIN_DUMP: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

impl DumpedTable {
    /// Its name in the database.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// Its rows in Postgres' text format, in pieces of any length.
    ///
    /// # Errors
    /// The database does not answer, or the role may not read the table.
    pub async fn copy_out(
        self,
        connection: &mut PgConnection,
    ) -> Result<BoxStream<'_, Result<impl AsRef<[u8]> + use<>, sqlx::Error>>, sqlx::Error> {
        connection.copy_out_raw(&format!("COPY {} TO STDOUT", self.0)).await
    }

    /// Takes rows in Postgres' text format; the caller sends them and finishes.
    ///
    /// # Errors
    /// The database does not answer, or the role may not add to the table.
    pub async fn copy_in(self, connection: &mut PgConnection) -> Result<PgCopyIn<&mut PgConnection>, sqlx::Error> {
        connection.copy_in_raw(&format!("COPY {} FROM STDIN", self.0)).await
    }
}

/// The number of the newest step of the schema that the database has.
///
/// # Errors
/// The database does not answer, or has no schema.
pub async fn schema_version(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let newest = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success";
    sqlx::query_scalar(newest).fetch_one(connection).await
}

impl Database {
    /// As the owner, after the tables of a backup were loaded: makes the events visible to the feed in their order, and
    /// numbers new ones after them. Returns how many events were given another number.
    ///
    /// # Errors
    /// The role is not the owner, or the database does not answer.
    pub async fn adopt_restored_events(&self) -> Result<i64, sqlx::Error> {
        let adopted = sqlx::query_scalar("SELECT adopt_restored_events()").fetch_one(self.pool()).await?;
        let next = "SELECT setval(pg_get_serial_sequence('events', 'position'), max(position)) FROM events
                    HAVING count(*) > 0";
        sqlx::query(next).execute(self.pool()).await?;
        Ok(adopted)
    }
}
