//! `ytcaption submit`

mod live;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use serde_json::json;
use tokio::time::Instant;
use ytcaption_domain::captions::Format;

use super::Global;
use super::api::{self, ApiArgs, Failure};
use super::bar::Bar;
use super::client::{Client, ClientError, Job, JobAccepted, Parameters};
use super::cue_style::CueStyleArgs;

/// Interval between queries for the status of the job.
const POLL: Duration = Duration::from_millis(400);
/// How long a submission waits for an API that cannot serve at the moment.
const SUBMIT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the API may be unavailable while the client waits for a job.
const ABSENCE_TIMEOUT: Duration = Duration::from_mins(2);

/// Submit URLs of videos, or files, to a running system
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ytcaption submit https://example.org/talk --wait --format srt > talk.srt
  ytcaption submit talk.mp4 --language en --wait
  ytcaption submit talk.mp4 --follow
  ytcaption submit *.mp4 && ytcaption jobs list
  ytcaption submit palestra.mp4 --language pt --task translate --hotwords 'Itaipu, Ana Souza' --wait

Without --wait or --follow, the URL of each job is printed. `ytcaption jobs` shows jobs, and fetches their captions in any
format as often as needed.

Exit codes:
  0  done
  1  refused, and the message says why
  3  the job failed or was cancelled
  4  the API does not answer")]
pub(super) struct Submit {
    /// URL of a page or media file, or a file on this machine; several become a job each
    #[arg(value_name = "URL|FILE", required = true)]
    media: Vec<String>,
    /// Wait for the captions and print them; of one URL or file only
    #[arg(long)]
    wait: bool,
    /// Print captions as they come, a line each with the time at which it begins
    #[arg(long, conflicts_with = "wait")]
    follow: bool,
    #[arg(long, default_value_t = Format::Srt, help = format!("One of {}; with --wait", Format::names()))]
    format: Format,
    #[command(flatten)]
    style: CueStyleArgs,
    /// auto, or the code of the spoken language, such as en
    #[arg(long)]
    language: Option<String>,
    /// transcribe, or translate for an English translation
    #[arg(long)]
    task: Option<String>,
    /// Name of the model [default: the server's]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Text as if it had been said before, for names and style; of a text longer than the model takes (223 tokens) the
    /// end counts
    #[arg(long, value_name = "TEXT")]
    initial_prompt: Option<String>,
    /// Words to expect, such as names
    #[arg(long, value_name = "WORDS")]
    hotwords: Option<String>,
    /// Also find the time of each word; they show in --format json
    #[arg(long)]
    word_timestamps: bool,
    /// Number of the audio track to transcribe, counted from 1 [default: by language, else the default track]
    #[arg(long, value_name = "NUMBER")]
    audio_track: Option<u32>,
    /// high, normal or low
    #[arg(long)]
    priority: Option<String>,
    /// Receives a webhook when the job ends (Standard Webhooks)
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    #[command(flatten)]
    api: ApiArgs,
}

impl Submit {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        ensure!(
            self.media.len() == 1 || !(self.wait || self.follow),
            "--wait and --follow are for one URL or file: submit several without them, then `ytcaption jobs result` prints \
             the captions of each"
        );
        let mut outcome = Ok(());
        for media in &self.media {
            // A client of its own, because its idempotency key is that of one job.
            outcome = self.submit(media, &self.api.client(global)?).await;
            if outcome.is_err() {
                break;
            }
        }
        api::end(outcome)
    }

    async fn submit(&self, media: &str, client: &Client) -> Result<(), Failure> {
        let bar = (self.wait || self.follow).then(|| Bar::new("submitting"));
        let accepted = self.send(media, client, bar.as_ref()).await;
        let (Some(bar), Ok(accepted)) = (&bar, &accepted) else {
            clear(bar.as_ref());
            println!("{}", client.resolve(&accepted?.path()));
            return Ok(());
        };
        if self.follow {
            let printed = live::print_captions(client, accepted, bar).await;
            bar.clear();
            return printed;
        }
        let mut wanted = vec![("format", self.format.to_string())];
        wanted.extend(self.style.parameters());
        let captions = follow(client, accepted, &wanted, bar).await;
        bar.clear();
        print!("{}", captions?);
        Ok(())
    }

    async fn send(&self, media: &str, client: &Client, bar: Option<&Bar>) -> Result<JobAccepted, Failure> {
        let mut fields = serde_json::Map::new();
        for (name, value) in [
            ("language", &self.language),
            ("task", &self.task),
            ("model", &self.model),
            ("initial_prompt", &self.initial_prompt),
            ("hotwords", &self.hotwords),
            ("priority", &self.priority),
            ("webhook_url", &self.webhook_url),
        ] {
            if let Some(value) = value {
                fields.insert(name.to_owned(), json!(value));
            }
        }
        if self.word_timestamps {
            fields.insert("word_timestamps".to_owned(), json!(true));
        }
        if let Some(number) = self.audio_track {
            fields.insert("audio_track".to_owned(), json!(number));
        }
        let path = PathBuf::from(media);
        if path.exists() {
            if let Some(bar) = bar {
                bar.step("uploading");
            }
            return until_served(|| client.submit_file(&path, &fields)).await;
        }
        if !media.contains("://") {
            return Err(Failure::Other(anyhow::anyhow!(
                "there is no file {media:?}, and it is not a URL either; a URL begins with http:// or https://"
            )));
        }
        fields.insert("url".to_owned(), json!(media));
        until_served(|| client.submit_url(&fields)).await
    }
}

/// Repeats a submission while the API is there but its database is not; it carries a key that makes that safe.
async fn until_served<F>(mut submit: impl FnMut() -> F) -> Result<JobAccepted, Failure>
where
    F: Future<Output = Result<JobAccepted, ClientError>>,
{
    let deadline = Instant::now() + SUBMIT_TIMEOUT;
    loop {
        match submit().await {
            Err(ClientError::Unavailable { .. }) if Instant::now() < deadline => tokio::time::sleep(POLL).await,
            outcome => return Ok(outcome?),
        }
    }
}

fn clear(bar: Option<&Bar>) {
    if let Some(bar) = bar {
        bar.clear();
    }
}

/// Waits for the end of the job and fetches its captions; retries while the API is unavailable.
async fn follow(client: &Client, accepted: &JobAccepted, wanted: &Parameters, bar: &Bar) -> Result<String, Failure> {
    let mut silent_since: Option<Instant> = None;
    loop {
        match look(client, accepted, wanted, bar).await {
            Ok(Some(captions)) => return Ok(captions),
            Ok(None) => silent_since = None,
            Err(Failure::NoAnswer(error)) => {
                let since = *silent_since.get_or_insert_with(Instant::now);
                if since.elapsed() > ABSENCE_TIMEOUT {
                    return Err(Failure::NoAnswer(error));
                }
                bar.step("no answer");
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn look(
    client: &Client,
    accepted: &JobAccepted,
    wanted: &Parameters,
    bar: &Bar,
) -> Result<Option<String>, Failure> {
    let job: Job = client.job(&accepted.path()).await?;
    bar.step(&job.status);
    bar.set(job.progress.percent, 100);
    match job.status.as_str() {
        "completed" => {
            let captions = client.captions(&accepted.path(), wanted).await?;
            if let Some(warning) = &job.warning {
                bar.warn(warning);
            }
            Ok(Some(captions))
        }
        "failed" => Err(Failure::Job(job.error.map_or_else(
            || format!("the job {} failed", job.id),
            |error| format!("the job {} failed: {} ({})", job.id, error.message, error.code),
        ))),
        "cancelled" => Err(Failure::Job(format!("the job {} was cancelled", job.id))),
        _ => Ok(None),
    }
}
