//! Which rows of a read model queries see.
//!
//! Rows of several generations can lie in a table side by side: the live one, and one that a rebuild fills. The live
//! one is named in `read_models`. That name moves, and live rows are written, only by who holds the row lock of the
//! projection's checkpoint, so nobody ever writes to a generation that is not live any more.

use sqlx::PgExecutor;

/// Name of the projection of jobs and transcripts; also of its checkpoint.
pub(crate) const JOBS: &str = "jobs";
/// Every projection there is.
pub const PROJECTIONS: [&str; 1] = [JOBS];
/// Its tables, in the order of their names.
pub(crate) const TABLES: [&str; 2] = ["jobs", "transcript_chunks"];

/// A generation that never was; the first is 1.
pub(crate) const NONE: i32 = 0;

/// The live generation within a query; one look at the same snapshot as the rows themselves.
macro_rules! live_generation {
    () => {
        "(SELECT generation FROM read_models WHERE projection = 'jobs')"
    };
}
pub(crate) use live_generation;

/// The generation that queries see.
pub(crate) async fn live(executor: impl PgExecutor<'_>) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("SELECT generation FROM read_models WHERE projection = $1").bind(JOBS).fetch_one(executor).await
}
