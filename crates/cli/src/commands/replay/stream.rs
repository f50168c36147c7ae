//! `ytcaption replay stream`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args};
use secrecy::ExposeSecret as _;
use serde_json::json;
use ytcaption_domain::JobId;
use ytcaption_domain::step::STEPS;
use ytcaption_eventstore::{Database, read_event};
use ytcaption_workers::relay::{Selection, StreamReplay, SubjectCount};
use ytcaption_workers::{nats, topology};

use crate::commands::Global;
use crate::commands::bar::Bar;
use crate::commands::filters::{TIMES, read_time};
use crate::commands::output::{self, Output};
use crate::commands::store::{self, WHERE};
use crate::managed::published_nats;

/// Longest wait for the NATS server.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Republish events on JetStream, for workers that missed them; without --yes only report what that would do
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("which").required(true).multiple(true).args(["all", "unfinished", "job", "from"]),
    after_help = format!("\
Examples:
  ytcaption replay stream --unfinished                 what do unfinished jobs wait for?
  ytcaption replay stream --unfinished --yes           republish it for the workers
  ytcaption replay stream --job 0199a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f --yes
  ytcaption replay stream --from 2h --yes --json

The relay itself republishes what the stream has lost; this command is for all other cases. An event whose step is done
is a no-op for the worker: nothing is transcribed twice, and no webhook is sent twice. Work in progress may start again.
{TIMES}
{WHERE} NATS likewise: NATS_URL (or nats.url).")
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag on the command line")]
pub(in crate::commands) struct Stream {
    /// Every event
    #[arg(long, conflicts_with = "unfinished")]
    all: bool,
    /// Only events whose step is still pending
    #[arg(long)]
    unfinished: bool,
    /// Events of this job, and of the delivery of its webhook
    #[arg(long, value_name = "ID")]
    job: Option<JobId>,
    /// Events recorded at this time or later
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    from: Option<DateTime<Utc>>,
    /// Publish them
    #[arg(long)]
    yes: bool,
    /// As a JSON document
    #[arg(long)]
    json: bool,
}

impl Stream {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        output::end(self.replay(global).await)
    }

    async fn replay(self, global: &Global) -> anyhow::Result<()> {
        let database = store::open_database(global).await?;
        if let Some(job) = self.job {
            must_exist(&database, job).await?;
        }
        let replay = StreamReplay::new(&database, connect(global).await?, &STEPS);
        let selection = Selection { job: self.job, since: self.from, unfinished: self.unfinished };
        let bar = Bar::new("counting");
        let subjects = replay.count(&selection).await;
        let published = match &subjects {
            Ok(subjects) if self.yes => {
                let total = sum(subjects, |count| count.events);
                bar.step("publishing");
                Some(replay.publish(&selection, |done| bar.set(done, total)).await)
            }
            _ => None,
        };
        bar.clear();
        let (subjects, published) = (subjects?, published.transpose()?);
        let mut out = Output::new();
        if self.json {
            out.json(&json!({
                "published": published.unwrap_or_default(),
                "events": sum(&subjects, |count| count.events),
                "pending": sum(&subjects, |count| count.pending),
                "in_flight": sum(&subjects, |count| count.in_flight),
                "subjects": subjects,
            }))?;
        } else {
            for line in text(&subjects, published) {
                out.line(&line)?;
            }
        }
        Ok(out.flush()?)
    }
}

async fn must_exist(database: &Database, job: JobId) -> anyhow::Result<()> {
    match read_event(database, "job", &job.to_string(), 1).await? {
        Some(_) => Ok(()),
        None => bail!("there is no job {job}; `ytcaption audit --type JobCreated` lists them"),
    }
}

/// Reaches the stream, and makes it if it is not there.
async fn connect(global: &Global) -> anyhow::Result<async_nats::Client> {
    let settings = global.load()?.settings;
    let configured = settings.nats.url.as_ref().map(|url| url.expose_secret().to_owned());
    let url = configured.or_else(|| published_nats(&settings.data_dir)).with_context(|| {
        format!(
            "there is no stream to publish to: NATS_URL is not set, and no `ytcaption up` runs in {}. \
             Set NATS_URL, or name the directory with --data-dir",
            settings.data_dir.display()
        )
    })?;
    let reach = async {
        let client = nats::with_credentials(&url).name("ytcaption replay").connect(&url).await?;
        topology::ensure(&client, &STEPS).await?;
        anyhow::Ok(client)
    };
    let reached = tokio::time::timeout(ANSWER_TIMEOUT, reach).await;
    reached.context("the NATS server (NATS_URL) does not answer")?.context("the NATS server (NATS_URL) cannot be used")
}

fn sum(subjects: &[SubjectCount], of: impl Fn(&SubjectCount) -> u64) -> u64 {
    subjects.iter().map(of).sum()
}

fn text(subjects: &[SubjectCount], published: Option<u64>) -> Vec<String> {
    let events = sum(subjects, |count| count.events);
    if events == 0 {
        return vec!["No event matches; nothing was published.".to_owned()];
    }
    let mut lines = vec![format!("{:>9} {:>12}  {:<64} for", "events", "pending", "subject")];
    lines.extend(subjects.iter().map(|SubjectCount { subject, events, pending, steps, .. }| {
        let steps = if steps.is_empty() { "-".to_owned() } else { steps.join(", ") };
        format!("{events:>9} {pending:>12}  {subject:<64} {steps}")
    }));
    let (pending, in_flight) = (sum(subjects, |count| count.pending), sum(subjects, |count| count.in_flight));
    lines.push(String::new());
    lines.push(format!("The work of {pending} of {events} is pending; the others are no-ops for the workers."));
    if in_flight > 0 {
        lines.push(format!("{in_flight} of those are in flight: another worker would start a new attempt."));
    }
    lines.push(match published {
        Some(published) => format!("{published} events were published."),
        None => "Nothing was published: add --yes to do it.".to_owned(),
    });
    lines
}
