//! Why the database cannot be used, and whether the data or the server is the cause of an error.

use sqlx::migrate::MigrateError;

/// SQLSTATE classes (<https://www.postgresql.org/docs/current/errcodes-appendix.html>) of errors that the data cause and
/// that recur however often it is tried: data exceptions, such as a NUL in a text, and exceeded limits.
const DATA_ERRORS: [&str; 2] = ["22", "54"];

/// Whether an error is caused by the data of a statement, so that the same statement fails again. Errors of the server or
/// the connection are not (classes 08, 53, 57, I/O), nor is a violated constraint: it can as well be a schema that is not
/// ours.
pub fn is_data_error(error: &sqlx::Error) -> bool {
    match error {
        // A value that cannot even be written for the server.
        sqlx::Error::Encode(_) => true,
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| DATA_ERRORS.iter().any(|class| code.starts_with(class)))
        }
        _ => false,
    }
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The URL cannot be parsed.
    #[error("the database URL is malformed: {0}; expected postgres://user:password@host:port/database")]
    Url(#[source] sqlx::Error),
    /// The schema is that of a newer program.
    #[error(
        "the database was prepared by a newer version of this program: its schema has step {found}, and this version \
         knows steps up to {newest}. Start the newer version; to go back to this one, restore the backup from before \
         the upgrade"
    )]
    NewerSchema {
        /// The oldest step that is not known here.
        found: i64,
        /// The newest that is.
        newest: i64,
    },
    /// The schema is not what this program knows.
    #[error("the database schema cannot be brought up to date: {0}")]
    Schema(#[source] MigrateError),
    /// The events came with a dump from another cluster, and readers would see none of them.
    #[error(
        "the events were restored from a dump of another cluster and no reader would see them here: \
         as the owner of the database run `SELECT adopt_restored_events()`, then start again"
    )]
    Restored,
    /// The role of the services is missing and cannot be made.
    #[error(
        "the database role {role} does not exist and cannot be made: {reason}. \
         Let an administrator run `CREATE ROLE {role} LOGIN PASSWORD '…'`"
    )]
    Role {
        /// Its name.
        role: String,
        /// What the server says.
        reason: String,
    },
    /// The server does not answer.
    #[error("the database does not answer: {0}")]
    Unavailable(#[from] sqlx::Error),
}
