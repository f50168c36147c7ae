//! `ytcaption serve`, `relay`, `project`, `seal` and `worker …`: one role in this process

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use ytcaption_domain::step::{STEPS, Step, TRANSCRIBE};

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

/// Run the worker of one step
#[derive(Debug, Args)]
#[command(after_help = SHARED)]
pub(super) struct Worker {
    /// The step
    #[arg(value_parser = step_parser())]
    step: &'static Step,
    /// For transcribe, the default model: a name that `ytcaption models list` shows, or a directory in CTranslate2 format
    #[arg(long, value_name = "NAME|DIRECTORY")]
    model: Option<std::path::PathBuf>,
}

/// The names of the step table, each with its description.
fn step_parser() -> impl TypedValueParser<Value = &'static Step> {
    let names = STEPS.map(|step| PossibleValue::new(step.name).help(step.description));
    PossibleValuesParser::new(names).map(|name| {
        let step = STEPS.iter().find(|step| step.name == name);
        step.expect("the parser accepts the names of steps only")
    })
}

impl Worker {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let overrides = match self.model {
            Some(_) if *self.step != TRANSCRIBE => bail!("--model is an option of `ytcaption worker transcribe` only"),
            model => Overrides { model, ..global.overrides() },
        };
        run_one(Role::Worker(self.step), &format!("worker-{}", self.step.name), overrides).await
    }
}

async fn run_one(role: Role, name: &str, overrides: Overrides) -> anyhow::Result<ExitCode> {
    let settings = load(&overrides)?.settings;
    let servers = Servers::configured(&settings)?;
    let telemetry = ytcaption_telemetry::init(&settings.log, name)?;
    let shutdown = Shutdown::on_signals().context("listening for SIGTERM and SIGINT")?;
    let ready = |address: Option<std::net::SocketAddr>| {
        tracing::info!(role = name, "started");
        if let Some(address) = address {
            announce(&url_of(address)?, settings.api.public_url.as_ref(), address);
        }
        Ok(())
    };
    let outcome = roles::run(&settings, &servers, &[role], &shutdown, ready).await;
    telemetry.shutdown().await;
    outcome.map(|()| ExitCode::SUCCESS)
}
