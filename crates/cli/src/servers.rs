//! The two servers between which everything happens.

use crate::settings::{Secret, Settings};

/// How to reach Postgres and NATS.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "as the settings are called")]
pub(crate) struct Servers {
    /// Postgres URL.
    pub(crate) database_url: Secret,
    /// The same as the owner of the schema, if that is another role.
    pub(crate) owner_url: Option<Secret>,
    /// NATS URL.
    pub(crate) nats_url: Secret,
}

/// A server that a role on its own needs and nobody named.
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
