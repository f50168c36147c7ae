//! The servers `up` runs itself when none are configured: a Postgres and a nats-server of its own,
//! in the data directory, reachable from this machine only.
//!
//! Each is a child process in a process group of its own, so that Ctrl-C in a terminal reaches
//! `up` alone and the servers stay until the roles have drained. A server that dies is started
//! again at the same address. What a killed `up` left running is stopped by the next one.

mod child;
mod directory;
mod nats;
mod postgres;
mod program;
mod unwell;
mod user;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::servers::Servers;
use crate::settings::Settings;
use child::{Server, Supervised};
use nats::NatsServer;
use postgres::Postgres;
use secrecy::SecretString;
use tokio::sync::Notify;

pub(crate) use directory::{DataDirectory, published_api, published_database, published_nats, published_owner};
pub(crate) use nats::MINIMUM_VERSION as NATS_MINIMUM_VERSION;
pub(crate) use postgres::{DIRECTORY as POSTGRES_DIRECTORY, find_postgres};
pub(crate) use program::{Version, find_program, version_of};

/// Why a server cannot be run here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManagedError {
    /// The program is not installed.
    #[error("{program} was not found; {hint}")]
    NotInstalled { program: &'static str, hint: &'static str },
    /// The program is there but cannot be used.
    #[error("{0}")]
    Unsuitable(String),
    /// Its directory cannot be prepared.
    #[error("cannot prepare {}: {source}", path.display())]
    Directory { path: PathBuf, source: std::io::Error },
    /// It does not come up.
    #[error("{name} does not start: {reason}. Its log is {}", log.display())]
    DoesNotStart { name: &'static str, reason: String, log: PathBuf },
}

fn directory_error(path: &Path) -> impl FnOnce(std::io::Error) -> ManagedError + '_ {
    move |source| ManagedError::Directory { path: path.to_owned(), source }
}

/// The servers of one `up`: managed ones where none are configured.
#[derive(Debug)]
pub(crate) struct ManagedServers {
    /// How to reach them.
    pub(crate) servers: Servers,
    /// Those that are ours.
    supervised: Vec<Supervised>,
    /// Restarts the nats-server, if it is ours.
    restart_nats: Option<Arc<Notify>>,
}

impl ManagedServers {
    /// Starts what is not configured in `data_dir` (an absolute path), and waits until it answers.
    ///
    /// # Errors
    /// A program is missing or does not start.
    pub(crate) async fn start(settings: &Settings, data_dir: &Path) -> Result<Self, ManagedError> {
        let (postgres, nats) = tokio::join!(start_postgres(settings, data_dir), start_nats(settings, data_dir));
        let nats_server = nats.as_ref().ok().and_then(|started| started.supervised.as_ref());
        let restart_nats = nats_server.map(Supervised::restarter);
        let (mut supervised, mut failure) = (Vec::new(), None);
        let mut take = |started: Result<Started, ManagedError>| match started {
            Ok(started) => {
                supervised.extend(started.supervised);
                Some((started.url, started.owner_url))
            }
            Err(error) => {
                failure.get_or_insert(error);
                None
            }
        };
        let urls = (take(postgres), take(nats));
        let (Some((database_url, owner_url)), Some((nats_url, _))) = urls else {
            stop_all(supervised).await;
            return Err(failure.expect("a server without a URL has failed"));
        };
        Ok(Self { servers: Servers { database_url, owner_url, nats_url }, supervised, restart_nats })
    }

    /// Restarts a nats-server of ours for as long as it is polled, whenever it answers and stores nothing.
    pub(crate) async fn keep_well(&self) {
        match &self.restart_nats {
            Some(restart) => unwell::restart_when_stalled(&self.servers.database_url, restart).await,
            None => std::future::pending().await,
        }
    }

    /// Stops those that are ours.
    pub(crate) async fn stop(self) {
        stop_all(self.supervised).await;
    }
}

struct Started {
    url: SecretString,
    /// The same as the owner, of a Postgres.
    owner_url: Option<SecretString>,
    supervised: Option<Supervised>,
}

/// A Postgres alone, without what works with it.
#[derive(Debug)]
pub(crate) struct ManagedPostgres {
    /// Its URL for the services.
    pub(crate) database_url: SecretString,
    /// Its URL for the owner, if that is another role.
    pub(crate) owner_url: Option<SecretString>,
    supervised: Option<Supervised>,
}

impl ManagedPostgres {
    /// The configured Postgres, else the one in `data_dir` (an absolute path), started.
    ///
    /// # Errors
    /// It is not installed or does not start.
    pub(crate) async fn start(settings: &Settings, data_dir: &Path) -> Result<Self, ManagedError> {
        let Started { url, owner_url, supervised } = start_postgres(settings, data_dir).await?;
        Ok(Self { database_url: url, owner_url, supervised })
    }

    /// Stops it if it is ours.
    pub(crate) async fn stop(self) {
        stop_all(self.supervised.into_iter().collect()).await;
    }
}

async fn start_postgres(settings: &Settings, data_dir: &Path) -> Result<Started, ManagedError> {
    if let Some(url) = &settings.database.url {
        return Ok(Started { url: url.clone(), owner_url: settings.database.owner_url.clone(), supervised: None });
    }
    let server = Postgres::prepare(data_dir, settings.database.max_connections).await?;
    let owner_url = SecretString::from(server.owner_url());
    Ok(Started { owner_url: Some(owner_url), ..start(server).await? })
}

async fn start_nats(settings: &Settings, data_dir: &Path) -> Result<Started, ManagedError> {
    if let Some(url) = &settings.nats.url {
        return Ok(Started { url: url.clone(), owner_url: None, supervised: None });
    }
    start(NatsServer::prepare(data_dir).await?).await
}

async fn start(server: impl Server) -> Result<Started, ManagedError> {
    let (supervised, url) = Supervised::start(server).await?;
    Ok(Started { url: SecretString::from(url), owner_url: None, supervised: Some(supervised) })
}

async fn stop_all(supervised: Vec<Supervised>) {
    for server in supervised {
        server.stop().await;
    }
}
