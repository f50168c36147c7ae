//! `ytcaption up`

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

use super::Global;
use crate::managed::{DataDirectory, ManagedServers, find_program};
use crate::master_key;
use crate::roles::{self, Role, announce, url_of};
use crate::running::Shutdown;
use crate::servers::Servers;
use crate::settings::{Overrides, Settings, WORK_DIRECTORY, catalogue, load};

/// Run the whole system in this process, with its own Postgres and nats-server where none is configured
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ytcaption up
  ytcaption up --data-dir ./data --listen 127.0.0.1:0 --model /srv/models/faster-whisper-small

Ctrl-C (or SIGTERM) lets work in progress end, at most shutdown.grace_seconds; a second one ends at once.")]
pub(super) struct Up {
    /// IP address and port of the API; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The default model: a name that `ytcaption models list` shows, or a directory in CTranslate2 format
    #[arg(long, value_name = "NAME|DIRECTORY")]
    model: Option<PathBuf>,
}

impl Up {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let overrides = Overrides { listen: self.listen, model: self.model, ..global.overrides() };
        let settings = load(&overrides)?.settings;
        // Before anything is started, what an operator has to fix.
        catalogue(&settings)?;
        let directory = DataDirectory::take(&settings.data_dir)?;
        clear_temporary_files(&directory)?;
        let telemetry = ytcaption_telemetry::init(&settings.log, "up")?;
        warn_of_missing_programs(&settings);
        let shutdown = Shutdown::on_signals().context("listening for SIGTERM and SIGINT")?;
        master_key::create_if_missing(&settings)?;
        let managed = ManagedServers::start(&settings, directory.path()).await?;
        let ready = |address: Option<SocketAddr>| {
            publish(&directory, &managed.servers, settings.api.public_url.as_ref(), address)
        };
        let roles = Role::all();
        let outcome = tokio::select! {
            outcome = roles::run(&settings, &managed.servers, &roles, &shutdown, ready) => outcome,
            () = managed.keep_well() => unreachable!("it is kept well until the roles end"),
        };
        directory.unpublish();
        managed.stop().await;
        telemetry.shutdown().await;
        outcome.map(|()| ExitCode::SUCCESS)
    }
}

/// Removes what a killed run could not: its URLs, and its temporary files.
fn clear_temporary_files(directory: &DataDirectory) -> anyhow::Result<()> {
    directory.unpublish();
    let work = directory.path().join(WORK_DIRECTORY);
    match std::fs::remove_dir_all(&work) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot empty {}", work.display()))
        }
        _ => Ok(()),
    }
}

/// Jobs that need them would fail with a clear message; better to know before.
fn warn_of_missing_programs(settings: &Settings) {
    for program in [settings.download.yt_dlp.as_path(), Path::new("ffmpeg"), Path::new("ffprobe")] {
        if find_program(program).is_none() {
            tracing::warn!("{} was not found; `ytcaption doctor` says what to do", program.display());
        }
    }
}

fn publish(
    directory: &DataDirectory,
    servers: &Servers,
    public: Option<&Url>,
    address: Option<SocketAddr>,
) -> anyhow::Result<()> {
    let address = address.context("`up` always serves the API")?;
    let api = url_of(address)?;
    directory.publish(&json!({
        "api": api.as_str().trim_end_matches('/'),
        "pid": std::process::id(),
        "database_url": servers.database_url.expose_secret(),
        "owner_url": servers.owner_url.as_ref().map(SecretString::expose_secret),
        "nats_url": servers.nats_url.expose_secret(),
    }))?;
    announce(&api, public, address);
    Ok(())
}
