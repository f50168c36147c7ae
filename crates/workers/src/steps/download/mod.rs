//! `JobCreated` → audio in the blob store, planned into chunks.
//!
//! ```text
//! StartDownload ─▶ yt-dlp through crate::egress, or the upload ─▶ ffmpeg: 16 kHz mono FLAC ─▶ plan ─▶ blob ─▶ RecordAudio
//! ```

mod blocked;
mod classify;
mod media;
mod options;
mod progress;
mod settings;
mod truncated;
mod ytdlp;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use url::Url;
use ytcaption_blobstore::BlobKey;
use ytcaption_domain::JobId;
use ytcaption_domain::job::{Audio, Job, JobCommand, MediaSource};
use ytcaption_media::{PlanSettings, convert_to_flac, plan_chunks};

pub use settings::DownloadSettings;

use super::attempt::{Attempt, Step};
use super::commands::outcome_of;
use super::error::StepError;
use super::temp_dirs;
use crate::backoff::{as_ms, with_jitter};
use crate::breaker::{Breakers, host_of};
use crate::consumer::{self, Message, Outcome, Queue, StepWorker, by_priority};
use crate::egress::{self, Egress};
use crate::network;
use crate::{StartError, WorkerDeps};
use blocked::refused;
use media::Media;
use progress::Progress;

const QUEUES: [Queue; 3] = by_priority("download-high", "download-normal", "download-low");

/// Kind of the folder that each attempt works in.
const FOLDER: &str = "download";

/// Downloads until `shutdown`.
///
/// # Errors
/// NATS cannot be used, or the work folder cannot be made.
pub async fn run(deps: WorkerDeps, settings: DownloadSettings, shutdown: CancellationToken) -> Result<(), StartError> {
    temp_dirs::sweep(&settings.work_dir, FOLDER).map_err(|source| StartError::Io {
        what: format!("the work folder {} cannot be made", settings.work_dir.display()),
        source,
    })?;
    let (nats, grace, concurrency) = (deps.nats.clone(), deps.grace, settings.concurrency);
    if !egress::is_enforced() {
        tracing::warn!(
            "this kernel cannot keep yt-dlp from connecting past the proxy of its download (Landlock rules for TCP, \
             Linux 6.7); only its options do: see \"What is safe\" in docs/operations.md"
        );
    }
    let egress = Egress::new(deps.network.clone());
    let worker = Arc::new(Download { deps, settings, egress, breakers: Breakers::new(Download::NAME, "media_host") });
    consumer::run(worker, &QUEUES, concurrency, &nats, grace, shutdown).await?;
    Ok(())
}

struct Download {
    deps: WorkerDeps,
    settings: DownloadSettings,
    egress: Egress,
    breakers: Breakers,
}

/// Failures that tell of a host in trouble.
const HOST_IN_TROUBLE: [&str; 6] = ["http_5xx", "http_429", "timed_out", "unresolved_host", "unavailable", "cut_off"];

impl StepWorker for Download {
    const NAME: &'static str = "download";

    async fn work(&self, message: Message) -> Outcome {
        let job_id = message.job_id;
        let host = url_in(&message).map(|url| host_of(&url));
        if let Some(Err(pause)) = host.as_deref().map(|host| self.breakers.check(host)) {
            tracing::info!(host, again_in_ms = as_ms(pause), "the host is in trouble; the job waits");
            return Outcome::RetryAfter(with_jitter(pause));
        }
        let context = self.deps.context(Self::NAME, &message.event);
        let command = JobCommand::StartDownload { worker: self.deps.worker_of(Self::NAME) };
        let started = match self.deps.jobs.execute(job_id.0, command, &context).await {
            Ok(started) if started.events.is_empty() => return Outcome::Done,
            Ok(started) => started,
            Err(error) => return outcome_of(&error),
        };
        let job = started.aggregate;
        let attempt =
            Attempt { deps: &self.deps, context: &context, job_id, step: Step::Download, number: job.download_attempt };
        let work = async {
            let result = self.in_time(&attempt, &job).await;
            if let Some(host) = &host {
                let in_trouble = |error: &StepError| HOST_IN_TROUBLE.contains(&error.failure.code.as_str());
                self.breakers.record(host, !result.as_ref().is_err_and(in_trouble));
            }
            result
        };
        attempt.run(self.settings.retry, work).await
    }
}

impl Download {
    async fn in_time(&self, attempt: &Attempt<'_>, job: &Job) -> Result<JobCommand, StepError> {
        let limit = self.settings.timeout;
        tokio::time::timeout(limit, Box::pin(self.fetch(attempt, job))).await.unwrap_or_else(|_| {
            let message = format!("The download took longer than {}.", seconds(limit));
            Err(StepError::transient("timed_out", message))
        })
    }

    async fn fetch(&self, attempt: &Attempt<'_>, job: &Job) -> Result<JobCommand, StepError> {
        let folder = temp_dirs::folder(&self.settings.work_dir, FOLDER).map_err(|e| StepError::disk(&e))?;
        let mut progress = Progress::new(attempt);
        let media = match &job.source {
            Some(MediaSource::Url { url }) => {
                network::check(&self.deps.network, url).await.map_err(|error| refused(&error))?;
                let proxy = self.egress.proxy().await.map_err(|e| StepError::disk(&e))?;
                ytdlp::fetch(url, folder.path(), &self.settings, &proxy, &mut progress).await?
            }
            Some(MediaSource::Upload { key, .. }) => self.upload(key, folder.path()).await?,
            None => return Err(StepError::permanent("invalid_url", "The job names no recording: submit it again.")),
        };
        let stored = folder.path().join("audio.flac");
        let converted = convert_to_flac(&media.path, &stored, &mut |_| {}).await?;
        if let Some(truncation) = converted.truncation {
            truncated::report(attempt, &truncation).await?;
        }
        self.record(attempt, media.title, &stored).await
    }

    /// Fetches an uploaded file.
    async fn upload(&self, key: &str, folder: &Path) -> Result<Media, StepError> {
        let key = BlobKey::new(key)?;
        let path = folder.join("upload");
        self.deps.blobs.download_to(&key, &path).await?;
        Ok(Media { path, title: None })
    }

    /// Plans the audio, puts it into the blob store, and makes the command that records both.
    async fn record(&self, attempt: &Attempt<'_>, title: Option<String>, flac: &Path) -> Result<JobCommand, StepError> {
        let plan = plan_chunks(flac, PlanSettings::default()).await?;
        if plan.duration_ms > u64::try_from(self.settings.max_duration.as_millis()).unwrap_or(u64::MAX) {
            let longest = seconds(self.settings.max_duration);
            let message = format!("The recording is longer than {longest}: send a part of it.");
            return Err(StepError::permanent("too_long", message));
        }
        let key = audio_key(attempt.job_id, attempt.number)?;
        let info = self.deps.blobs.put_file(&key, flac).await?;
        Ok(JobCommand::RecordAudio {
            attempt: attempt.number,
            audio: Audio {
                key: key.to_string(),
                bytes: info.bytes,
                sha256: info.sha256,
                duration_ms: plan.duration_ms,
            },
            title,
            chunks: plan.chunks,
        })
    }
}

/// The address that a `JobCreated` names; none for an upload.
fn url_in(message: &Message) -> Option<Url> {
    message.event.data.as_ref()?.get("source")?.get("url")?.as_str()?.parse().ok()
}

/// Each attempt has a blob of its own, so an overtaken one never replaces what its successor has recorded.
fn audio_key(job_id: JobId, attempt: u32) -> Result<BlobKey, StepError> {
    Ok(BlobKey::new(format!("audio/{job_id}/{attempt}.flac"))?)
}

fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        minutes if minutes >= 60 && minutes.is_multiple_of(60) => format!("{} min", minutes / 60),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod egress_tests;
#[cfg(test)]
mod tests;
