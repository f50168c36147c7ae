//! The steps that make the schema.

use std::borrow::Cow;

use sqlx::migrate::Migrator;

/// All steps, compiled in.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// The number of the newest step.
pub(crate) fn newest_migration() -> i64 {
    MIGRATIONS.iter().map(|step| step.version).max().unwrap_or_default()
}

/// The steps up to that number.
pub(crate) fn migrations_up_to(version: i64) -> Migrator {
    let steps: Vec<_> = MIGRATIONS.iter().filter(|step| step.version <= version).cloned().collect();
    Migrator { migrations: Cow::Owned(steps), ..Migrator::DEFAULT }
}
