//! How a command reaches the API of a running system, and what its exit code says.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use url::Url;

use super::Global;
use super::client::{Client, ClientError};
use crate::managed::published_api;

/// URL of the API if neither `--api` nor a running `up` names one.
const DEFAULT_API: &str = "http://127.0.0.1:8000";
/// The job failed or was cancelled.
const EXIT_JOB_FAILED: u8 = 3;
/// The API does not answer.
const EXIT_NO_ANSWER: u8 = 4;

/// Names the API.
#[derive(Debug, Args)]
pub(super) struct ApiArgs {
    /// URL of the API [default: that of the `ytcaption up` of the data directory, else `http://127.0.0.1:8000`]
    #[arg(long, value_name = "URL", env = "YTCAPTION_API")]
    api: Option<Url>,
}

impl ApiArgs {
    /// A client of the API.
    ///
    /// # Errors
    /// The settings or the URL are not valid.
    pub(super) fn client(&self, global: &Global) -> anyhow::Result<Client> {
        Client::new(match &self.api {
            Some(api) => api.clone(),
            None => find_api(&global.load()?.settings.data_dir)?,
        })
    }
}

fn find_api(data_dir: &Path) -> anyhow::Result<Url> {
    let found = published_api(data_dir).unwrap_or_else(|| DEFAULT_API.to_owned());
    Url::parse(&found).with_context(|| format!("{found:?} is not a URL; set one with --api"))
}

/// Why a command has not done what it was for.
pub(super) enum Failure {
    /// The API does not answer, or cannot serve at the moment.
    NoAnswer(ClientError),
    /// The job failed or was cancelled, and this says why.
    Job(String),
    /// Anything else.
    Other(anyhow::Error),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        if error.is_absence() { Self::NoAnswer(error) } else { Self::Other(error.into()) }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

/// The exit code of a command that used the API, after its message.
pub(super) fn end(outcome: Result<(), Failure>) -> anyhow::Result<ExitCode> {
    let (message, code) = match outcome {
        Ok(()) => return Ok(ExitCode::SUCCESS),
        Err(Failure::Other(error)) => return Err(error),
        Err(Failure::NoAnswer(error)) => (error.to_string(), EXIT_NO_ANSWER),
        Err(Failure::Job(reason)) => (reason, EXIT_JOB_FAILED),
    };
    eprintln!("ytcaption: {message}");
    Ok(ExitCode::from(code))
}
