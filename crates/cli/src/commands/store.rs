//! The event store that `events`, `audit`, `explain` and `replay` look into: straight, as psql would.

use anyhow::{Context as _, bail};
use secrecy::ExposeSecret as _;
use ytcaption_application::{Principal, Queries};
use ytcaption_domain::Actor;
use ytcaption_eventstore::{Database, EventReader};

use super::Global;
use crate::managed::{published_database, published_owner};
use crate::master_key;
use crate::settings::Settings;

/// Queries of one command, and the listener of one that follows.
const CONNECTIONS: u32 = 3;

/// How the commands below find their store; part of their help.
pub(super) const WHERE: &str = "\
Reads the database in DATABASE_URL (or database.url), else that of the `ytcaption up` of the data directory.";

/// Opens the store; it must be there.
///
/// # Errors
/// No store is named, it does not answer, or it is not ours.
pub(super) async fn open(global: &Global) -> anyhow::Result<EventReader> {
    Ok(EventReader::new(&open_database(global).await?))
}

/// The use cases that read, over the store; it must be there.
///
/// # Errors
/// As [`open`].
pub(super) async fn queries(global: &Global) -> anyhow::Result<Queries> {
    Ok(Queries::new(&open_database(global).await?))
}

/// The person at the command line, who has the credentials of the database.
pub(super) fn operator() -> Principal {
    Principal::local_operator(Actor::Client("command-line".to_owned()))
}

/// Opens the database of the store, which must be there.
///
/// # Errors
/// As [`open`].
pub(super) async fn open_database(global: &Global) -> anyhow::Result<Database> {
    let database = connect(global).await?;
    let there: bool = sqlx::query_scalar("SELECT to_regclass('events') IS NOT NULL").fetch_one(database.pool()).await?;
    if there {
        database.check_schema().await?;
        return Ok(database);
    }
    bail!("the database has no events; is it the right one? `ytcaption migrate` makes an empty store of it")
}

/// Opens the database of the store, which must be there and have seals.
///
/// # Errors
/// As [`open`], or its schema is of an older version.
pub(super) async fn open_sealed(global: &Global) -> anyhow::Result<Database> {
    let database = open_database(global).await?;
    let there: bool = sqlx::query_scalar("SELECT to_regclass('seals') IS NOT NULL").fetch_one(database.pool()).await?;
    if there {
        return Ok(database);
    }
    bail!("the schema of this database is of an older version of the program: run `ytcaption migrate` first")
}

/// Opens the database, whatever it holds.
///
/// # Errors
/// No database is named, or it does not answer.
pub(super) async fn connect(global: &Global) -> anyhow::Result<Database> {
    let settings = global.load()?.settings;
    let configured = settings.database.url.as_ref().map(|url| url.expose_secret().to_owned());
    open_at(configured.or_else(|| published_database(&settings.data_dir)), &settings).await
}

/// Opens the database as its owner, where that is another role than the services'.
///
/// # Errors
/// No database is named, or it does not answer.
pub(super) async fn connect_as_owner(global: &Global) -> anyhow::Result<Database> {
    let settings = global.load()?.settings;
    open_at(owner_url(&settings), &settings).await
}

/// How the owner reaches the database: as the settings say, else that of the `ytcaption up` of the data directory.
pub(super) fn owner_url(settings: &Settings) -> Option<String> {
    let configured = settings.database.owner_url.as_ref().or(settings.database.url.as_ref());
    let published = || published_owner(&settings.data_dir).or_else(|| published_database(&settings.data_dir));
    configured.map(|url| url.expose_secret().to_owned()).or_else(published)
}

async fn open_at(url: Option<String>, settings: &Settings) -> anyhow::Result<Database> {
    let url = url.with_context(|| {
        format!(
            "there is no event store to look into: DATABASE_URL is not set, and no `ytcaption up` runs in {}. \
             Set DATABASE_URL, or name the directory with --data-dir",
            settings.data_dir.display()
        )
    })?;
    let database = Database::open_as("ytcaption cli", &url.into(), CONNECTIONS)?;
    database.check().await?;
    // Without a key only personal content cannot be read.
    Ok(match master_key::load_if_set(settings)? {
        Some(keys) => database.with_master_keys(keys),
        None => database,
    })
}
