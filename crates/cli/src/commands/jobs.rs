//! `ytcaption jobs`: the jobs of a running system, through its API.

mod find;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use ytcaption_domain::captions::Format;
use ytcaption_domain::job::JobStatus;

use super::Global;
use super::api::{self, ApiArgs, Failure};
use super::client::{Client, TRANSCRIPTIONS};
use super::cue_style::CueStyleArgs;
use super::output::Output;

const WHICH: &str = "\
JOB is the id of a job, or a word for its media: its title, URL or file name, or a part of one. If several jobs match, they
are listed and nothing is done.";

/// List, show and fetch jobs of a running system; cancel them and do them once more
#[derive(Debug, Subcommand)]
pub(super) enum Jobs {
    List(List),
    Show(Show),
    Result(Captions),
    Cancel(Cancel),
    Retry(Retry),
}

/// List jobs, newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ytcaption jobs list
  ytcaption jobs list --status failed --json | jq -r '.[].error.message'")]
pub(super) struct List {
    /// Only jobs with this status: pending, downloading, transcribing, completed, failed or cancelled
    #[arg(long)]
    status: Option<JobStatus>,
    /// Most jobs to list
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// Print a JSON array of the jobs, as the API describes them
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    api: ApiArgs,
}

/// Show one job: how far it is, and why it failed if it did
#[derive(Debug, Args)]
#[command(after_help = WHICH)]
pub(super) struct Show {
    #[arg(help = "The job: its id, or a word for its media")]
    job: String,
    /// Print JSON, as the API describes the job
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    api: ApiArgs,
}

/// Fetch the captions of a completed job, in any format and as often as needed
#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  ytcaption jobs result talk.mp4 --format vtt > talk.vtt
  ytcaption jobs result 0199a2b4-… --format srt --output talk.srt

{WHICH}"))]
pub(super) struct Captions {
    #[arg(help = "The job: its id, or a word for its media")]
    job: String,
    #[arg(long, default_value_t = Format::Srt, help = format!("One of {}", Format::names()))]
    format: Format,
    /// File to write, which must not exist yet [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    style: CueStyleArgs,
    #[command(flatten)]
    api: ApiArgs,
}

/// Cancel a job
#[derive(Debug, Args)]
#[command(after_help = WHICH)]
pub(super) struct Cancel {
    #[arg(help = "The job: its id, or a word for its media")]
    job: String,
    /// Why; stored with the job
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    api: ApiArgs,
}

/// Do a failed or cancelled job once more, as a new job
#[derive(Debug, Args)]
#[command(after_help = WHICH)]
pub(super) struct Retry {
    #[arg(help = "The job: its id, or a word for its media")]
    job: String,
    #[command(flatten)]
    api: ApiArgs,
}

impl Jobs {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        api::end(match self {
            Self::List(command) => command.run(&command.api.client(global)?).await,
            Self::Show(command) => command.run(&command.api.client(global)?).await,
            Self::Result(command) => command.run(&command.api.client(global)?).await,
            Self::Cancel(command) => command.run(&command.api.client(global)?).await,
            Self::Retry(command) => command.run(&command.api.client(global)?).await,
        })
    }
}

impl List {
    async fn run(&self, client: &Client) -> Result<(), Failure> {
        let jobs = client.jobs(self.status.map(JobStatus::as_str), self.limit).await?;
        let mut out = Output::new();
        if self.json {
            out.json(&jobs)?;
        } else {
            for job in &jobs {
                out.line(&find::line(job)).context("standard output")?;
            }
            if jobs.is_empty() {
                eprintln!("ytcaption: there are no such jobs; `ytcaption submit` makes one");
            }
        }
        Ok(out.flush().context("standard output")?)
    }
}

impl Show {
    async fn run(&self, client: &Client) -> Result<(), Failure> {
        let id = find::id(client, &self.job).await?;
        let job: Value = client.get(&format!("{TRANSCRIPTIONS}/{id}")).await?;
        let mut out = Output::new();
        if self.json {
            out.json(&job)?;
        } else {
            for line in find::details(&job) {
                out.line(&line).context("standard output")?;
            }
        }
        Ok(out.flush().context("standard output")?)
    }
}

impl Captions {
    async fn run(&self, client: &Client) -> Result<(), Failure> {
        let id = find::id(client, &self.job).await?;
        let mut wanted = vec![("format", self.format.to_string())];
        wanted.extend(self.style.parameters());
        let captions = client.captions(&format!("{TRANSCRIPTIONS}/{id}"), &wanted).await?;
        let Some(file) = &self.output else {
            print!("{captions}");
            return Ok(());
        };
        let write = || std::io::Write::write_all(&mut std::fs::File::create_new(file)?, captions.as_bytes());
        Ok(write().with_context(|| format!("cannot write {}", file.display()))?)
    }
}

impl Cancel {
    async fn run(&self, client: &Client) -> Result<(), Failure> {
        let id = find::id(client, &self.job).await?;
        let body = self.reason.as_ref().map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
        let cancelled: Value = client.post(&format!("{TRANSCRIPTIONS}/{id}/cancel"), &body).await?;
        println!("The job {id} is {}.", cancelled["status"].as_str().unwrap_or("cancelled"));
        Ok(())
    }
}

impl Retry {
    async fn run(&self, client: &Client) -> Result<(), Failure> {
        let id = find::id(client, &self.job).await?;
        let accepted = client.retry(&format!("{TRANSCRIPTIONS}/{id}/retry")).await?;
        println!("{}", client.resolve(&accepted.path()));
        Ok(())
    }
}
