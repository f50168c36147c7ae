//! Postgres and NATS, the two servers that all roles share.

use std::str::FromStr as _;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::PgConnectOptions;
use url::Url;
use ytcaption_eventstore::{Database, DatabaseError};

use crate::settings::Settings;

/// How to reach Postgres and NATS.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "as the settings are called")]
pub(crate) struct Servers {
    /// Postgres URL.
    pub(crate) database_url: SecretString,
    /// The same as the owner of the schema, if that is another role.
    pub(crate) owner_url: Option<SecretString>,
    /// NATS URL.
    pub(crate) nats_url: SecretString,
}

/// A server that a role on its own needs and that no setting names.
#[derive(Debug, thiserror::Error)]
#[error(
    "{missing} not set: a role on its own works with a Postgres and a NATS that it shares with the others. \
     `ytcaption up` needs neither, it brings its own"
)]
pub(crate) struct NotConfigured {
    missing: &'static str,
}

impl Servers {
    /// The servers that the settings name.
    ///
    /// # Errors
    /// They do not name both.
    pub(crate) fn configured(settings: &Settings) -> Result<Self, NotConfigured> {
        match (&settings.database.url, &settings.nats.url) {
            (Some(database_url), Some(nats_url)) => {
                let owner_url = settings.database.owner_url.clone();
                Ok(Self { database_url: database_url.clone(), owner_url, nats_url: nats_url.clone() })
            }
            (None, None) => Err(NotConfigured { missing: "DATABASE_URL and NATS_URL are" }),
            (None, Some(_)) => Err(NotConfigured { missing: "DATABASE_URL is" }),
            (Some(_), None) => Err(NotConfigured { missing: "NATS_URL is" }),
        }
    }
}

/// One to migrate with, one for its lock.
const OWNER_CONNECTIONS: u32 = 2;

/// As the owner of the schema: waits for the server, migrates it and grants the role in `service_url` what services need.
///
/// # Errors
/// The schema cannot be migrated, or the role cannot be made.
pub(crate) async fn prepare_as_owner(
    owner_url: &SecretString,
    service_url: &SecretString,
) -> Result<(), DatabaseError> {
    let owner = Database::open(owner_url, OWNER_CONNECTIONS)?;
    owner.prepare().await?;
    grant_service_role(&owner, service_url).await?;
    owner.pool().close().await;
    Ok(())
}

/// As the owner of the schema: grants the role in `service_url` what services need, unless it is the owner.
///
/// # Errors
/// The role cannot be made.
pub(crate) async fn grant_service_role(owner: &Database, service_url: &SecretString) -> Result<(), DatabaseError> {
    let service = PgConnectOptions::from_str(service_url.expose_secret()).map_err(DatabaseError::Url)?;
    if service.get_username() != owner.connect_options().get_username() {
        owner.grant_service_role(service.get_username(), password(service_url).as_deref()).await?;
    }
    Ok(())
}

fn password(url: &SecretString) -> Option<String> {
    let url = Url::parse(url.expose_secret()).ok()?;
    Some(percent_decode_str(url.password()?).decode_utf8_lossy().into_owned())
}
