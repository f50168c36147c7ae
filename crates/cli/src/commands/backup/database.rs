//! The tables of a backup: written as of one moment, loaded as data.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, ensure};
use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use ytcaption_eventstore::{BEGIN_DUMP, DUMPED_TABLES, Database, DumpedTable, begin, begin_with, schema_version};

use super::manifest::{Entry, Manifest, create, make_directory};
use super::{DATABASE, table_path};

/// Bytes sent to the server at a time.
const PIECE: usize = 256 * 1024;

/// Writes the tables into a backup, without what is in plaintext: the read models are made again from the events, and the
/// data keys are in a file of their own.
///
/// # Errors
/// The database does not answer, or the files cannot be written.
pub(super) async fn dump(database: &Database, backup: &Path, manifest: &mut Manifest) -> anyhow::Result<()> {
    make_directory(&backup.join(DATABASE))?;
    let mut snapshot = begin_with(database.pool(), BEGIN_DUMP).await?;
    manifest.schema_version = schema_version(&mut snapshot).await?;
    for table in DUMPED_TABLES {
        let path = table_path(table);
        let mut file = BufWriter::new(create(&backup.join(&path))?);
        let mut rows = table.copy_out(&mut snapshot).await?;
        while let Some(piece) = rows.try_next().await? {
            file.write_all(piece.as_ref()).with_context(|| format!("writing {path}"))?;
        }
        file.into_inner()?.sync_all()?;
    }
    // The server ends a transaction that does nothing, and reading the files again takes its time.
    snapshot.rollback().await?;
    DUMPED_TABLES.iter().try_for_each(|table| manifest.note(backup, &table_path(*table)))
}

/// Makes sure that a restore can fill the database: that it is empty, or is left of an attempt that failed.
///
/// # Errors
/// It is in use, or does not answer.
pub(super) async fn require_empty(database: &Database, manifest: &Manifest) -> anyhow::Result<()> {
    let tables: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace",
    )
    .fetch_one(database.pool())
    .await?;
    if tables == 0 {
        return Ok(());
    }
    let ours: bool =
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL AND to_regclass('events') IS NOT NULL")
            .fetch_one(database.pool())
            .await?;
    let is_unused = "SELECT NOT EXISTS (SELECT FROM events) AND NOT EXISTS (SELECT FROM data_keys)";
    let mut transaction = begin(database.pool()).await?;
    let empty = ours
        && sqlx::query_scalar::<_, bool>(is_unused).fetch_one(&mut *transaction).await?
        && schema_version(&mut transaction).await? == manifest.schema_version;
    ensure!(empty, "the database is not empty: it has {tables} tables. Restore into a new one (createdb)");
    Ok(())
}

/// Fills the tables, all of them or none, and makes sure that each file is what the manifest describes. No statement comes
/// from the backup: the server receives rows of known tables, as the services' role where there is one.
///
/// # Errors
/// A file is missing or changed, or the server refuses a row.
pub(super) async fn load(database: &Database, backup: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let mut transaction = begin(database.pool()).await?;
    for table in DUMPED_TABLES {
        let path = table_path(table);
        let entry = manifest.entry(&path).with_context(|| format!("the backup lacks {path}"))?;
        load_table(&mut transaction, table, &backup.join(&path), entry)
            .await
            .with_context(|| format!("loading {path}"))?;
    }
    Ok(transaction.commit().await?)
}

async fn load_table(
    connection: &mut sqlx::PgConnection,
    table: DumpedTable,
    file: &Path,
    entry: &Entry,
) -> anyhow::Result<()> {
    let mut file = BufReader::new(File::open(file)?);
    let mut rows = table.copy_in(connection).await?;
    let (mut hash, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; PIECE]);
    loop {
        let length = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) => {
                rows.abort("the file cannot be read").await?;
                return Err(error.into());
            }
        };
        hash.update(&piece[..length]);
        bytes += length as u64;
        rows.send(&piece[..length]).await?;
    }
    rows.finish().await?;
    // Once more, because it may have been changed since it was checked.
    entry.require(bytes, &format!("{:x}", hash.finalize()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ytcaption_projections::{PROJECTIONS, RegisteredProjection};
    use ytcaption_testing::Postgres;

    use super::*;

    #[tokio::test]
    async fn every_table_is_in_a_backup_or_is_made_again() {
        let url = tokio::task::spawn_blocking(|| Postgres::shared().new_database()).await.expect("a database");
        let database = Database::open(&url.into(), 2).expect("a valid URL");
        database.prepare().await.expect("the schema");
        let all: Vec<String> = sqlx::query_scalar(
            "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace",
        )
        .fetch_all(database.pool())
        .await
        .expect("tables");
        let left_out = ["_sqlx_migrations", "data_keys", "read_models"];
        let known: BTreeSet<&str> = DUMPED_TABLES
            .into_iter()
            .map(DumpedTable::name)
            .chain(PROJECTIONS.iter().flat_map(RegisteredProjection::table_names))
            .chain(left_out)
            .collect();
        assert_eq!(all.iter().map(String::as_str).collect::<BTreeSet<_>>(), known);
    }
}
