//! The horizon: the oldest open transaction that has written, anywhere in the cluster. The feed shows nothing younger,
//! so a forgotten one delays every reader.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use sqlx::PgPool;

/// How long an event may wait for older transactions before something is wrong; longer than any of ours take.
const STALLED_AFTER: Duration = Duration::from_secs(5);
/// At most this many characters of a query are shown, and nothing in quotes.
const QUERY_CHARACTERS: usize = 60;

/// Reads the horizon.
#[derive(Debug, Clone)]
pub struct Horizon {
    pool: PgPool,
}

/// The horizon at some moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HorizonView {
    /// How long the oldest committed event has waited to be seen; zero if none waits.
    pub waiting: Duration,
    /// The oldest open transaction that has written, if there is one.
    pub blocking: Option<BlockingTransaction>,
}

/// The transaction that is the horizon. What the database does not show to this role is absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlockingTransaction {
    /// Process of the session; none for a prepared transaction.
    pub pid: Option<i32>,
    /// Name of the prepared transaction, quoted for SQL.
    pub prepared: Option<String>,
    /// What the session calls its program.
    pub application: Option<String>,
    /// The database role.
    pub user_name: Option<String>,
    /// The database, of this cluster; not always ours.
    pub database: Option<String>,
    /// Address of the client; none for one on the same machine.
    pub client: Option<String>,
    /// What the session does: `idle in transaction`, `active`, …
    pub state: Option<String>,
    /// The beginning of its last query.
    pub query: Option<String>,
    /// Age of the transaction in seconds.
    pub age: Option<f64>,
}

impl HorizonView {
    /// Whether events have waited for longer than is normal.
    pub fn is_stalled(&self) -> bool {
        self.waiting >= STALLED_AFTER
    }
}

impl BlockingTransaction {
    /// The SQL that ends the transaction.
    pub fn remedy(&self) -> String {
        match (&self.prepared, self.pid) {
            (Some(name), _) => {
                let database = self.database.as_deref().unwrap_or_default();
                format!("ROLLBACK PREPARED {name} (or COMMIT PREPARED), connected to the database {database}")
            }
            (None, Some(pid)) => format!("SELECT pg_terminate_backend({pid})"),
            (None, None) => "look for it in pg_stat_activity".to_owned(),
        }
    }
}

impl fmt::Display for BlockingTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.prepared, self.pid) {
            (Some(name), _) => write!(f, "the prepared transaction {name}")?,
            (None, pid) => {
                write!(
                    f,
                    "a transaction of {}",
                    self.application.as_deref().filter(|n| !n.is_empty()).unwrap_or("a program")
                )?;
                write!(f, " (pid {})", pid.unwrap_or_default())?;
            }
        }
        for (what, value) in [("user", &self.user_name), ("database", &self.database), ("from", &self.client)] {
            if let Some(value) = value {
                write!(f, ", {what} {value}")?;
            }
        }
        if let Some(state) = self.state.as_deref().filter(|state| *state != "prepared") {
            write!(f, ", {state}")?;
        }
        if let Some(age) = self.age {
            write!(f, ", open for {age:.0} s")?;
        }
        match &self.query {
            Some(query) => write!(f, ", last query: {query}"),
            None => Ok(()),
        }
    }
}

impl Horizon {
    /// The horizon as seen from a database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// How long events wait, and for which transaction.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn look(&self) -> Result<HorizonView, sqlx::Error> {
        // The oldest event that is committed and that readers do not see yet.
        let waiting = sqlx::query_scalar!(
            r#"SELECT greatest(0, extract(epoch FROM clock_timestamp() - recorded_at))::float8 AS "seconds!" FROM events
                WHERE transaction_id >= pg_snapshot_xmin(pg_current_snapshot())
                ORDER BY transaction_id, position LIMIT 1"#
        );
        let waiting = waiting.fetch_optional(&self.pool).await?;
        // A transaction of a session, or a prepared one, which no session holds any more.
        let blocking = sqlx::query_as!(
            BlockingTransaction,
            r#"WITH horizon AS (SELECT pg_snapshot_xmin(pg_current_snapshot())::xid AS xid)
               SELECT pid AS "pid?", NULL AS "prepared?", application_name AS "application?",
                      usename::text AS "user_name?", datname::text AS "database?", host(client_addr) AS "client?",
                      state AS "state?", query AS "query?",
                      extract(epoch FROM clock_timestamp() - xact_start)::float8 AS "age?"
                 FROM pg_stat_activity, horizon WHERE backend_xid = xid AND pid <> pg_backend_pid()
               UNION ALL
               SELECT NULL, quote_literal(gid), NULL, owner::text, database::text, NULL, 'prepared', NULL,
                      extract(epoch FROM clock_timestamp() - prepared)::float8
                 FROM pg_prepared_xacts, horizon WHERE transaction = xid"#
        );
        let mut blocking = blocking.fetch_optional(&self.pool).await?;
        if let Some(blocking) = &mut blocking {
            blocking.query = blocking.query.as_deref().map(beginning);
        }
        Ok(HorizonView { waiting: Duration::from_secs_f64(waiting.unwrap_or_default()), blocking })
    }
}

/// How a query begins, up to its first literal: a literal may be a secret.
fn beginning(query: &str) -> String {
    let open = query.split(['\'', '$']).next().unwrap_or_default();
    let words = open.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut begins: String = words.chars().take(QUERY_CHARACTERS).collect();
    if begins.len() < words.len() || open.len() < query.len() {
        begins.push('…');
    }
    begins
}

#[cfg(test)]
#[path = "horizon_tests.rs"]
mod tests;
