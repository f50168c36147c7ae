//! One relay at a time: a Postgres advisory lock held by a connection of its own.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::timeout;
use ytcaption_eventstore::Database;

use super::RelayError;

/// The lock's key: "ytcrelay" in ASCII.
const LOCK: i64 = i64::from_be_bytes(*b"ytcrelay");
/// `application_name` of the session that holds the lock.
const NAME: &str = "ytcaption relay leader";
/// Longest wait for a response on the lock's connection; then the lock counts as lost.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The server ends a session whose client has vanished after about four seconds: three probes without a response, one a
/// second. Until then no other process can lead.
const KEEPALIVES: [(&str, &str); 3] =
    [("tcp_keepalives_idle", "1"), ("tcp_keepalives_interval", "1"), ("tcp_keepalives_count", "3")];

/// The leadership; lost with the connection.
pub(super) struct Leader {
    connection: PgConnection,
}

impl Leader {
    /// Becomes the leader, unless another process is.
    pub(super) async fn try_elect(database: &Database) -> Result<Option<Self>, sqlx::Error> {
        let options = database.connect_options().clone().application_name(NAME).options(KEEPALIVES);
        let mut connection = options.connect().await?;
        let elected: bool =
            sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut connection).await?;
        if elected {
            return Ok(Some(Self { connection }));
        }
        connection.close().await?;
        Ok(None)
    }

    /// Checks that the connection, and so the lock, still exists.
    pub(super) async fn confirm(&mut self) -> Result<(), RelayError> {
        match timeout(RESPONSE_TIMEOUT, sqlx::query("SELECT 1").execute(&mut self.connection)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(RelayError::NotLeader),
        }
    }

    /// Lets another process lead.
    pub(super) async fn resign(self) {
        // A connection that cannot be closed is lost already, and the lock with it.
        let _ = timeout(RESPONSE_TIMEOUT, self.connection.close()).await;
    }
}
