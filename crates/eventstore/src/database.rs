//! The connection to Postgres: opened without a connection at first, its schema brought up to date.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::Connection as _;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::database_error::DatabaseError;
use crate::encryption::{DataKeys, MasterKeys};
use crate::migrations::{MIGRATIONS, migrations_up_to, newest_migration};
use crate::{await_server, rights, schema};

/// How long a query waits for a free connection before the database counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that was idle for longer is pinged before it is used: its server may be another one
/// by now. Under load connections are never idle that long, so that the ping costs nothing.
pub(crate) const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// What sessions of no particular part of the system are called.
const PROGRAM: &str = "ytcaption";
/// An abandoned transaction stalls the feed for all, so the server ends ours.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "30s";

/// An open database. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pool: PgPool,
    options: PgConnectOptions,
    data_keys: DataKeys,
}

impl std::fmt::Debug for Database {
    /// Without the options: they contain the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("server", &self.server()).finish_non_exhaustive()
    }
}

impl Database {
    /// Prepares a pool of at most `max_connections` to `url` (`postgres://user:password@host:port/database`), without
    /// connecting yet.
    ///
    /// # Errors
    /// The URL is malformed.
    pub fn open(url: &SecretString, max_connections: u32) -> Result<Self, DatabaseError> {
        Self::open_as(PROGRAM, url, max_connections)
    }

    /// The same, under a name that shows an operator which component a session in `pg_stat_activity` belongs to.
    ///
    /// # Errors
    /// The URL is malformed.
    pub fn open_as(application: &str, url: &SecretString, max_connections: u32) -> Result<Self, DatabaseError> {
        let options = PgConnectOptions::from_str(url.expose_secret())
            .map_err(DatabaseError::Url)?
            .application_name(application)
            .options([("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT)]);
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(|connection, idle| {
                Box::pin(async move {
                    if idle.idle_for > TRUSTED_IDLE {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options.clone());
        Ok(Self { data_keys: DataKeys::new(pool.clone(), None), pool, options })
    }

    /// The same database with keys to encrypt and decrypt personal content. Without them, commands fail, and events whose
    /// content is encrypted are read as corrupt.
    #[must_use]
    pub fn with_master_keys(self, keys: MasterKeys) -> Self {
        Self { data_keys: DataKeys::new(self.pool.clone(), Some(Arc::new(keys))), ..self }
    }

    /// The keys of the personal content of events.
    pub fn data_keys(&self) -> &DataKeys {
        &self.data_keys
    }

    /// Waits until the server answers, saying so in the log, and brings the schema up to date; where this role may not,
    /// waits until the owner has.
    ///
    /// # Errors
    /// The schema cannot be migrated or is that of a newer program, or the events cannot be read in this cluster; a
    /// server that does not answer is waited for without end.
    pub async fn prepare(&self) -> Result<(), DatabaseError> {
        await_server::until_it_answers(self).await;
        if schema::may_migrate(&self.pool).await? {
            MIGRATIONS.run(&self.pool).await.map_err(|error| match error {
                MigrateError::VersionMissing(found) => DatabaseError::NewerSchema { found, newest: newest_migration() },
                other => DatabaseError::Schema(other),
            })?;
        } else {
            schema::wait_until_made(self).await?;
        }
        schema::refuse_restored(&self.pool).await
    }

    /// As the owner: makes the schema of an empty database as it was with that step, to load a backup of that time.
    ///
    /// # Errors
    /// This program does not know the step, or the schema cannot be made.
    pub async fn prepare_at(&self, version: i64) -> Result<(), DatabaseError> {
        if !MIGRATIONS.version_exists(version) {
            return Err(DatabaseError::NewerSchema { found: version, newest: newest_migration() });
        }
        migrations_up_to(version).run(&self.pool).await.map_err(DatabaseError::Schema)
    }

    /// As the owner: grants the role of the services the least rights that they need; creates the role if it is missing.
    ///
    /// # Errors
    /// The role cannot be made, or the database does not answer.
    pub async fn grant_service_role(&self, role: &str, password: Option<&str>) -> Result<(), DatabaseError> {
        rights::grant(&self.pool, role, password).await
    }

    /// Whether the schema is one that this program knows; it may be an older one.
    ///
    /// # Errors
    /// [`DatabaseError::NewerSchema`] if it is not, or the server does not answer.
    pub async fn check_schema(&self) -> Result<(), DatabaseError> {
        let made: bool =
            sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(&self.pool).await?;
        if !made {
            return Ok(());
        }
        let known: Vec<i64> = MIGRATIONS.iter().map(|step| step.version).collect();
        let unknown = "SELECT min(version) FROM _sqlx_migrations WHERE NOT version = ANY($1)";
        let found: Option<i64> = sqlx::query_scalar(unknown).bind(known).fetch_one(&self.pool).await?;
        found.map_or(Ok(()), |found| Err(DatabaseError::NewerSchema { found, newest: newest_migration() }))
    }

    /// Checks that the server answers.
    ///
    /// # Errors
    /// It does not answer in time.
    pub async fn check(&self) -> Result<(), DatabaseError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Where the server is: host and port, or the directory of its socket.
    pub(crate) fn server(&self) -> String {
        match self.options.get_socket() {
            Some(directory) => directory.display().to_string(),
            None => format!("{}:{}", self.options.get_host(), self.options.get_port()),
        }
    }

    /// The shared connections.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// How to open a connection of one's own.
    pub fn connect_options(&self) -> &PgConnectOptions {
        &self.options
    }
}
