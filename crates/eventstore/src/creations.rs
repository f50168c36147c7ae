//! What the first events of jobs name.

use crate::{Database, DatabaseError};

/// Of these keys of blobs, those that the first event of a job names, in whatever member and version of the event.
///
/// # Errors
/// The database does not answer.
pub async fn named_in_creations(database: &Database, keys: &[String]) -> Result<Vec<String>, DatabaseError> {
    let named = sqlx::query_scalar(
        "SELECT DISTINCT named.value #>> '{}'
           FROM events, jsonb_path_query(payload, '$.** ? (@.type() == \"string\")') AS named(value)
          WHERE aggregate_type = 'job' AND sequence = 1 AND named.value #>> '{}' = ANY($1)",
    );
    Ok(named.bind(keys).fetch_all(database.pool()).await?)
}
