//! `ytcaption up`

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::Global;
use crate::managed::{DataFolder, ManagedServers, find_program};
use crate::roles::{self, Role, url_of};
use crate::servers::Servers;
use crate::settings::{Overrides, Secret, Settings, WORK_FOLDER, catalogue, load};
use crate::signals::Shutdown;
use crate::{announce, logging};

/// Run the whole system in this process, with its own Postgres and nats-server where none is configured
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ytcaption up
  ytcaption up --data-dir ./data --listen 127.0.0.1:0 --model /srv/models/faster-whisper-small

Ctrl-C (or SIGTERM) lets work in progress end, at most shutdown.grace_seconds; a second one ends at once.")]
pub(super) struct Up {
    /// Address and port of the API; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The default model: a name that `ytcaption models list` shows, or a folder in CTranslate2 format
    #[arg(long, value_name = "NAME|FOLDER")]
    model: Option<PathBuf>,
}

impl Up {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let overrides = Overrides { listen: self.listen, model: self.model, ..global.overrides() };
        let settings = load(&overrides)?.settings;
        // Before anything is started, what a person has to mend.
        catalogue(&settings)?;
        let folder = DataFolder::take(&settings.data_dir)?;
        clear_leftovers(&folder)?;
        let telemetry = logging::start(&settings, "up")?;
        warn_of_missing_programs(&settings);
        let shutdown = Shutdown::on_signals().context("listening for SIGTERM and SIGINT")?;
        let managed = ManagedServers::start(&settings, folder.path()).await?;
        let ready = |address: Option<SocketAddr>| publish(&folder, &managed.servers, address);
        let outcome = roles::run(&settings, &managed.servers, &Role::ALL, &shutdown, ready).await;
        folder.unpublish();
        managed.stop().await;
        telemetry.shutdown().await;
        outcome.map(|()| ExitCode::SUCCESS)
    }
}

/// Removes what a killed run could not: its address, and the files it was working on.
fn clear_leftovers(folder: &DataFolder) -> anyhow::Result<()> {
    folder.unpublish();
    let work = folder.path().join(WORK_FOLDER);
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

fn publish(folder: &DataFolder, servers: &Servers, address: Option<SocketAddr>) -> anyhow::Result<()> {
    let address = address.context("`up` always serves the API")?;
    let api = url_of(address)?;
    folder.publish(&json!({
        "api": api.as_str().trim_end_matches('/'),
        "pid": std::process::id(),
        "database_url": servers.database_url.reveal(),
        "owner_url": servers.owner_url.as_ref().map(Secret::reveal),
        "nats_url": servers.nats_url.reveal(),
    }))?;
    announce::api(&api, address);
    Ok(())
}
