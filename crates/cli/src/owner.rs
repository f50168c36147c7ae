//! The owner of the schema, and the role of the services that he lets in.

use std::str::FromStr as _;

use percent_encoding::percent_decode_str;
use sqlx::postgres::PgConnectOptions;
use url::Url;
use ytcaption_eventstore::{Database, DatabaseError, DatabaseSettings};

use crate::settings::Secret;

/// One to migrate with, one for its lock.
const CONNECTIONS: u32 = 2;

/// As the owner: waits for the server, brings the schema up to date and lets the role in `service_url` in.
///
/// # Errors
/// The schema cannot be migrated, or the role cannot be made.
pub(crate) async fn prepare(owner_url: &Secret, service_url: &Secret) -> Result<(), DatabaseError> {
    let owner = Database::open(&DatabaseSettings { url: owner_url.reveal().to_owned(), max_connections: CONNECTIONS })?;
    owner.prepare().await?;
    let service = PgConnectOptions::from_str(service_url.reveal()).map_err(DatabaseError::Url)?;
    if service.get_username() != owner.connect_options().get_username() {
        owner.grant_service_role(service.get_username(), password(service_url).as_deref()).await?;
    }
    owner.pool().close().await;
    Ok(())
}

fn password(url: &Secret) -> Option<String> {
    let url = Url::parse(url.reveal()).ok()?;
    Some(percent_decode_str(url.password()?).decode_utf8_lossy().into_owned())
}
