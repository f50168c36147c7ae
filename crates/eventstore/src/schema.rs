//! Whether the tables are those that this program knows, and who may make them so.

use std::time::Duration;

use sqlx::PgPool;

use crate::Database;
use crate::database_error::DatabaseError;
use crate::migrations::MIGRATIONS;

/// How often a process that may not change the schema looks whether the owner has.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Whether this role may change the schema.
pub(crate) async fn may_migrate(pool: &PgPool) -> Result<bool, sqlx::Error> {
    // The owner of the events; in an empty database any role that may create tables in it.
    let may = sqlx::query_scalar!(
        r#"SELECT coalesce((SELECT pg_has_role(relowner, 'MEMBER') FROM pg_class WHERE oid = to_regclass('events')),
                           has_schema_privilege(current_schema(), 'CREATE'), false) AS "may!""#
    );
    may.fetch_one(pool).await
}

/// Waits until the owner has brought the schema up to date.
///
/// # Errors
/// It is that of a newer program.
pub(crate) async fn wait_until_made(database: &Database) -> Result<(), DatabaseError> {
    while let Some(version) = missing(database.pool()).await? {
        tracing::warn!(
            missing = version,
            "waiting for the schema: `ytcaption migrate` with database.owner_url brings it up to date"
        );
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    database.check_schema().await
}

/// The first step that has not been made.
async fn missing(pool: &PgPool) -> Result<Option<i64>, DatabaseError> {
    let made = "SELECT version FROM _sqlx_migrations WHERE success";
    let made: Vec<i64> = match sqlx::query_scalar(made).fetch_all(pool).await {
        Ok(made) => made,
        // No table, or none that this role may read yet: the owner has not been here.
        Err(sqlx::Error::Database(_)) => vec![],
        Err(error) => return Err(error.into()),
    };
    Ok(MIGRATIONS.iter().map(|step| step.version).find(|version| !made.contains(version)))
}

/// Makes sure that readers will see the events.
///
/// # Errors
/// They came with a dump from another cluster.
pub(crate) async fn refuse_restored(pool: &PgPool) -> Result<(), DatabaseError> {
    // This cluster has not assigned these transaction ids yet, so the events came with a dump from another one.
    let restored = sqlx::query_scalar!(
        r#"SELECT transaction_id >= pg_snapshot_xmax(pg_current_snapshot()) AS "restored!" FROM events
            ORDER BY transaction_id DESC, position DESC LIMIT 1"#
    );
    if restored.fetch_optional(pool).await? == Some(true) { Err(DatabaseError::Restored) } else { Ok(()) }
}
