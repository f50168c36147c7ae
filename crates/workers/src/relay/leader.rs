//! One relay at a time: a Postgres advisory lock held by a connection of its own.
//!
//! The lock is a lease: Postgres ends the session, and with it the lock, when the leader has not confirmed it for
//! [`LEASE`]. So a leader that hangs or is stopped loses it like one whose machine has vanished. One that wakes up
//! afterwards finds by its own clock that the lease may be over, and confirms it before it publishes anything.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::{Instant, timeout};
use ytcaption_eventstore::Database;

use super::RelayError;

/// The lock's key: "ytcrelay" in ASCII.
const LOCK: i64 = i64::from_be_bytes(*b"ytcrelay");
/// `application_name` of the session that holds the lock.
const NAME: &str = "ytcaption relay leader";
/// Longest wait for a response on the lock's connection; then the lock counts as lost.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the lock is kept without being confirmed.
const LEASE: Duration = Duration::from_secs(8);
/// The server ends a session whose client has vanished after about four seconds: three probes without a response, one a
/// second; and a session that says nothing for the time of the lease. Until then no other process can lead.
const SESSION: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "1"),
    ("tcp_keepalives_interval", "1"),
    ("tcp_keepalives_count", "3"),
    ("idle_session_timeout", "8s"),
];

/// The leadership; lost with the connection.
pub(super) struct Leader {
    connection: PgConnection,
    /// When the lock was confirmed last.
    confirmed: Instant,
}

impl Leader {
    /// Becomes the leader, unless another process is.
    pub(super) async fn try_elect(database: &Database) -> Result<Option<Self>, sqlx::Error> {
        let options = database.connect_options().clone().application_name(NAME).options(SESSION);
        let mut connection = options.connect().await?;
        let confirmed = Instant::now();
        let elected: bool =
            sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut connection).await?;
        if elected {
            return Ok(Some(Self { connection, confirmed }));
        }
        connection.close().await?;
        Ok(None)
    }

    /// Confirms the lease if it may be over soon, so that a process that was stopped meanwhile publishes nothing.
    pub(super) async fn require(&mut self) -> Result<(), RelayError> {
        if self.confirmed.elapsed() < LEASE / 2 { Ok(()) } else { self.confirm().await }
    }

    /// Checks that the connection, and so the lock, still exists, and renews the lease.
    pub(super) async fn confirm(&mut self) -> Result<(), RelayError> {
        let sent = Instant::now();
        match timeout(RESPONSE_TIMEOUT, sqlx::query("SELECT 1").execute(&mut self.connection)).await {
            Ok(Ok(_)) => {
                self.confirmed = sent;
                Ok(())
            }
            Ok(Err(_)) | Err(_) => Err(RelayError::NotLeader),
        }
    }

    /// Lets another process lead.
    pub(super) async fn resign(self) {
        // A connection that cannot be closed is lost already, and the lock with it.
        let _ = timeout(RESPONSE_TIMEOUT, self.connection.close()).await;
    }
}
