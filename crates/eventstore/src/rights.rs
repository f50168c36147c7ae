//! What the services may do: add and read events, write the read models, never change an event.

use sqlx::PgPool;
use sqlx::error::ErrorKind;

use crate::{DatabaseError, begin};

/// Two owners' processes must not change the same rights at once; "ytcright" in ASCII.
const LOCK: i64 = i64::from_be_bytes(*b"ytcright");
/// Postgres' code for a role that exists already.
const DUPLICATE_OBJECT: &str = "42710";

/// Tables that are only added to. A data key decides whether personal content can be read, so only the owner replaces or
/// deletes one.
const ADDED_TO: &str = "events, seals, data_keys";

/// Makes sure that the role exists and may do what the services need, and no more.
pub(crate) async fn grant(pool: &PgPool, role: &str, password: Option<&str>) -> Result<(), DatabaseError> {
    create(pool, role, password).await?;
    let role = quoted(role, '"');
    let mut transaction = begin(pool).await?;
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", LOCK).execute(&mut *transaction).await?;
    let schema = sqlx::query_scalar!(r#"SELECT quote_ident(current_schema()) AS "schema!""#);
    let schema = schema.fetch_one(&mut *transaction).await?;
    for statement in [
        format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
        format!("REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}"),
        format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"),
        format!("REVOKE UPDATE, DELETE ON {ADDED_TO} FROM {role}"),
        format!("REVOKE INSERT, UPDATE, DELETE ON _sqlx_migrations FROM {role}"),
    ] {
        sqlx::query(&statement).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    // Only to name the transaction that delays the feed; without it sessions of other roles have no names.
    if let Err(error) = sqlx::query(&format!("GRANT pg_read_all_stats TO {role}")).execute(pool).await {
        tracing::debug!(%error, "the services cannot see sessions of others");
    }
    Ok(())
}

async fn create(pool: &PgPool, role: &str, password: Option<&str>) -> Result<(), DatabaseError> {
    let exists = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS "exists!""#, role);
    if exists.fetch_one(pool).await? {
        return Ok(());
    }
    let password = password.map(|password| format!(" PASSWORD {}", quoted(password, '\''))).unwrap_or_default();
    let created = sqlx::query(&format!("CREATE ROLE {} LOGIN{password}", quoted(role, '"'))).execute(pool).await;
    match created {
        // Another process was faster.
        Err(sqlx::Error::Database(error))
            if error.code().as_deref() == Some(DUPLICATE_OBJECT) || error.kind() == ErrorKind::UniqueViolation =>
        {
            Ok(())
        }
        Err(sqlx::Error::Database(error)) => {
            Err(DatabaseError::Role { role: role.to_owned(), reason: error.to_string() })
        }
        outcome => outcome.map(|_| ()).map_err(Into::into),
    }
}

/// Text between quotes, for SQL; no statement of these kinds takes parameters.
fn quoted(text: &str, quote: char) -> String {
    // A backslash is special only in E'…'.
    format!("{quote}{}{quote}", text.replace(quote, &format!("{quote}{quote}")))
}
