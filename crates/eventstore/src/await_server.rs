//! Waits for Postgres, and says what an operator can do about what keeps this process from connecting.

use std::time::Duration;

use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::{Instant, sleep, timeout};

use crate::Database;

const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Time between two lines of the log about the same reason.
const REMINDER_INTERVAL: Duration = Duration::from_secs(30);
/// Longest wait for a connection that is opened to learn the reason.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Returns once the server answers to this role in this database.
pub(crate) async fn until_it_answers(database: &Database) {
    let mut reported: Option<(String, Instant)> = None;
    while database.check().await.is_err() {
        // The pool loses the reason, so a connection of our own finds it out.
        let Some(reason) = obstacle(database).await else { continue };
        let is_known = |(known, at): &(String, Instant)| *known == reason && at.elapsed() < REMINDER_INTERVAL;
        if !reported.as_ref().is_some_and(is_known) {
            tracing::warn!(server = database.server(), reason, "waiting for Postgres");
            reported = Some((reason, Instant::now()));
        }
        sleep(RETRY_DELAY).await;
    }
}

/// What keeps this process from connecting; `None` if nothing does any more.
pub(crate) async fn obstacle(database: &Database) -> Option<String> {
    match timeout(CONNECT_TIMEOUT, database.connect_options().connect()).await {
        Err(_) => Some(format!("no connection was made within {} s", CONNECT_TIMEOUT.as_secs())),
        Ok(Err(error)) => Some(match advice(&error) {
            Some(advice) => format!("{error}: {advice}"),
            None => error.to_string(),
        }),
        Ok(Ok(connection)) => {
            // It has shown what it was for.
            let _ = connection.close().await;
            None
        }
    }
}

/// What to do about an error that waiting does not repair, by its SQLSTATE
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn advice(error: &sqlx::Error) -> Option<&'static str> {
    match error.as_database_error()?.code()?.as_ref() {
        "28000" | "28P01" => Some(
            "is the role in database.url (DATABASE_URL) there, and is this its password? `ytcaption migrate` with \
             database.owner_url set creates the role",
        ),
        "3D000" => Some("create the database (createdb), or correct database.url (DATABASE_URL)"),
        _ => None,
    }
}
