//! Which rows of a read model queries see.
//!
//! Rows of several generations can be in a table side by side: the live one, and one that a rebuild fills. The live
//! one is named in `read_models`, where a projection has a row once it was rebuilt; before that its generation 1 is live.
//! That name moves, and live rows are written, only by who holds the row lock of the projection's checkpoint, so no
//! process ever writes to a generation that is not live any more.
//!
//! A query calls the SQL function `live_generation` within its own statement, so that it sees one generation whole.

use sqlx::PgExecutor;

/// The generation of this projection that queries see.
pub(crate) async fn live(executor: impl PgExecutor<'_>, projection: &str) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT live_generation($1) AS "generation!""#, projection).fetch_one(executor).await
}

/// Lets queries see another generation. The caller holds the row lock of the projection's checkpoint.
pub(crate) async fn switch(
    executor: impl PgExecutor<'_>,
    projection: &str,
    generation: i32,
) -> Result<(), sqlx::Error> {
    let switch = sqlx::query!(
        "INSERT INTO read_models (projection, generation) VALUES ($1, $2)
         ON CONFLICT (projection) DO UPDATE SET generation = excluded.generation, built_at = now()",
        projection,
        generation,
    );
    switch.execute(executor).await.map(|_| ())
}
