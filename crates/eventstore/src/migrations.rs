//! The steps that make the schema.

use sqlx::migrate::Migrator;

/// All steps, compiled in.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// The number of the newest step.
pub(crate) fn newest_migration() -> i64 {
    MIGRATIONS.iter().map(|step| step.version).max().unwrap_or_default()
}
