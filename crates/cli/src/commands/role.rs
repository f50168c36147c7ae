//! `ytcaption serve`, `relay`, `project`, `seal` and `worker …`: one role in this process

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::Global;
use crate::roles::{self, Role, announce, url_of};
use crate::running::Shutdown;
use crate::servers::Servers;
use crate::settings::{Overrides, load};

const SHARED: &str = "\
Needs DATABASE_URL and NATS_URL, and storage that all roles share. Runs in any number of copies.";

/// Serve the REST interface
#[derive(Debug, Args)]
#[command(after_help = SHARED)]
pub(super) struct Serve {
    /// IP address and port of the API; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
}

impl Serve {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        run_one(Role::Api, "serve", Overrides { listen: self.listen, ..global.overrides() }).await
    }
}

/// Publish events from the event store on JetStream (one copy leads, the others wait)
#[derive(Debug, Args)]
#[command(after_help = SHARED)]
pub(super) struct Relay {}

impl Relay {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        run_one(Role::Relay, "relay", global.overrides()).await
    }
}

/// Keep the read models up to date
#[derive(Debug, Args)]
#[command(after_help = SHARED)]
pub(super) struct Project {}

impl Project {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        run_one(Role::Projector, "project", global.overrides()).await
    }
}

/// Seal events: chain and sign them, so that a change is found (`ytcaption events verify`)
#[derive(Debug, Args)]
#[command(after_help = "\
Needs DATABASE_URL and NATS_URL. One copy is enough; another one needs the same seal.key_file. Only this role needs the
key, so run it where nothing else runs, and keep its public half and a checkpoint (`ytcaption events checkpoint`) elsewhere.")]
pub(super) struct Seal {}

impl Seal {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        run_one(Role::Seal, "seal", global.overrides()).await
    }
}

/// Run one kind of worker
#[derive(Debug, Subcommand)]
#[command(after_help = SHARED)]
pub(super) enum Worker {
    /// Download media with yt-dlp and convert it into audio
    Download,
    /// Transcribe audio with a Whisper model
    Transcribe {
        /// The default model: a name that `ytcaption models list` shows, or a directory in CTranslate2 format
        #[arg(long, value_name = "NAME|DIRECTORY")]
        model: Option<std::path::PathBuf>,
    },
    /// Send webhooks when jobs end
    Notify,
}

impl Worker {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let overrides = global.overrides();
        match self {
            Self::Download => run_one(Role::Download, "worker-download", overrides).await,
            Self::Transcribe { model } => {
                run_one(Role::Transcribe, "worker-transcribe", Overrides { model, ..overrides }).await
            }
            Self::Notify => run_one(Role::Notify, "worker-notify", overrides).await,
        }
    }
}

async fn run_one(role: Role, name: &'static str, overrides: Overrides) -> anyhow::Result<ExitCode> {
    let settings = load(&overrides)?.settings;
    let servers = Servers::configured(&settings)?;
    let telemetry = ytcaption_telemetry::init(&settings.log, name)?;
    let shutdown = Shutdown::on_signals().context("listening for SIGTERM and SIGINT")?;
    let ready = |address: Option<std::net::SocketAddr>| {
        tracing::info!(role = name, "started");
        if let Some(address) = address {
            announce(&url_of(address)?, address);
        }
        Ok(())
    };
    let outcome = roles::run(&settings, &servers, &[role], &shutdown, ready).await;
    telemetry.shutdown().await;
    outcome.map(|()| ExitCode::SUCCESS)
}
