//! The commands, one a file.

mod api;
mod audit;
mod backup;
mod bar;
mod client;
mod cue_style;
mod decoding;
mod doctor;
mod event_format;
mod events;
mod explain;
mod filters;
mod jobs;
mod keys;
mod migrate;
mod models;
mod output;
mod replay;
mod reveal;
mod role;
mod store;
mod submit;
mod timings;
mod transcribe;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::settings::{Loaded, Overrides, SettingsError, load, sample};

const EXAMPLES: &str = "\
Examples:
  ytcaption up                                  run the whole system on this machine
  ytcaption submit https://example.org/talk.mp4 --wait --format srt > talk.srt
  ytcaption jobs list                           what was submitted?
  ytcaption jobs result talk.mp4 --format vtt   its captions, in another format
  ytcaption transcribe talk.wav --format vtt    without any server
  ytcaption explain 0199a2b4-…                  what happened to a job?
  ytcaption models pull small                   fetch a full-size model
  ytcaption doctor                              what is missing?

Exit codes:
  0  done
  1  it failed, and the message says why
  2  wrong usage
  3  submit --wait: the job failed or was cancelled
  4  submit: the API does not answer";

/// Captions for videos, on your own machine.
#[derive(Debug, Parser)]
#[command(name = "ytcaption", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// Settings file (else `YTCAPTION_CONFIG`, ./ytcaption.toml, /etc/ytcaption/ytcaption.toml)
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory for everything that is kept
    #[arg(long, global = true, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
}

impl Global {
    fn overrides(&self) -> Overrides {
        Overrides { config: self.config.clone(), data_dir: self.data_dir.clone(), ..Overrides::default() }
    }

    fn load(&self) -> Result<Loaded, SettingsError> {
        load(&self.overrides())
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Up),
    Serve(role::Serve),
    Relay(role::Relay),
    Project(role::Project),
    Seal(role::Seal),
    Worker(role::Worker),
    Submit(submit::Submit),
    #[command(subcommand)]
    Jobs(jobs::Jobs),
    Transcribe(transcribe::Transcribe),
    Explain(explain::Explain),
    Audit(audit::Audit),
    #[command(subcommand)]
    Events(events::Events),
    #[command(subcommand)]
    Replay(replay::Replay),
    #[command(subcommand)]
    Models(models::Models),
    Doctor(doctor::Doctor),
    #[command(subcommand)]
    Keys(keys::Keys),
    Migrate(migrate::Migrate),
    Backup(backup::Backup),
    Restore(backup::Restore),
    /// Print the description of the REST interface, as docs/openapi.json has it
    Openapi,
    /// Print the description of the events on JetStream, as docs/asyncapi.json has it
    Asyncapi,
    #[command(subcommand)]
    Settings(Settings),
}

/// Print all settings
#[derive(Debug, Subcommand)]
enum Settings {
    /// A commented settings file with every default
    Sample,
    /// The settings in effect and the origin of each; secrets are masked
    Show,
}

/// Runs the requested command.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { global, command } = arguments;
    match command {
        Command::Up(up) => Box::pin(up.run(&global)).await,
        Command::Serve(serve) => serve.run(&global).await,
        Command::Relay(relay) => relay.run(&global).await,
        Command::Project(project) => project.run(&global).await,
        Command::Seal(seal) => seal.run(&global).await,
        Command::Worker(worker) => worker.run(&global).await,
        Command::Submit(submit) => submit.run(&global).await,
        Command::Jobs(jobs) => jobs.run(&global).await,
        Command::Transcribe(transcribe) => transcribe.run(&global).await,
        Command::Explain(explain) => explain.run(&global).await,
        Command::Audit(audit) => audit.run(&global).await,
        Command::Events(events) => events.run(&global).await,
        Command::Replay(replay) => replay.run(&global).await,
        Command::Models(models) => Box::pin(models.run(&global)).await,
        Command::Doctor(doctor) => Box::pin(doctor.run(&global)).await,
        Command::Keys(keys) => keys.run(&global).await,
        Command::Migrate(migrate) => migrate.run(&global).await,
        Command::Backup(backup) => Box::pin(backup.run(&global)).await,
        Command::Restore(restore) => Box::pin(restore.run(&global)).await,
        Command::Openapi => Ok(print(&ytcaption_api::openapi_json())),
        Command::Asyncapi => Ok(print(&ytcaption_workers::asyncapi_json())),
        Command::Settings(Settings::Sample) => Ok(print(&sample())),
        Command::Settings(Settings::Show) => Ok(print(&global.load()?.description)),
    }
}

fn print(text: &str) -> ExitCode {
    print!("{text}");
    ExitCode::SUCCESS
}
