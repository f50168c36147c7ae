//! The step `download`: the media of a job becomes audio in the blob store, divided into chunks.
//!
//! ```text
//! StartDownload ─▶ yt-dlp through crate::egress, or the upload ─▶ ffmpeg: 16 kHz mono FLAC ─▶ plan ─▶ blob ─▶ RecordAudio
//! ```

mod blocked;
mod classify;
mod options;
mod playlist;
mod progress;
mod settings;
mod warnings;
mod ytdlp;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;
use ytcaption_blobstore::BlobKey;
use ytcaption_children::enforcement;
use ytcaption_domain::JobId;
use ytcaption_domain::job::{Audio, Failure, Job, JobCommand, JobEvent, MediaSource};
use ytcaption_domain::language::AUTO;
use ytcaption_domain::step::{DOWNLOAD, Step};
use ytcaption_domain::upcast::PayloadError;
use ytcaption_eventstore::work::WorkUnit;
use ytcaption_media::{ConvertSettings, MediaError, PlanSettings, TrackChoice, convert_to_flac, plan_chunks};

pub use settings::DownloadSettings;

use super::attempt::{Attempt, StepUnit};
use super::commands::{outcome_from, outcome_of_unreadable};
use super::error::StepError;
use super::temp_dirs;
use crate::backoff::{as_ms, with_jitter};
use crate::breaker::{Breakers, host_of};
use crate::cloud_event::CloudEvent;
use crate::consumer::{self, Message, Outcome, StepWorker};
use crate::egress::Egress;
use crate::network;
use crate::{StartError, WorkerDeps};
use progress::Progress;
use ytdlp::Media;

/// Kind of the directory that each attempt works in.
const DIRECTORY: &str = "download";

/// Codes of failures that say that a host is unhealthy.
const UNHEALTHY: [&str; 6] = ["http_5xx", "http_429", "timed_out", "unresolved_host", "unavailable", "cut_off"];

/// Downloads until `shutdown`.
///
/// # Errors
/// NATS cannot be used, or the work directory cannot be created.
pub async fn run(deps: WorkerDeps, settings: DownloadSettings, shutdown: CancellationToken) -> Result<(), StartError> {
    temp_dirs::clean(&settings.work_dir, DIRECTORY).map_err(|source| StartError::Io {
        what: format!("the work directory {} cannot be created", settings.work_dir.display()),
        source,
    })?;
    if let Some(gaps) = enforcement().gaps() {
        tracing::warn!("{gaps}; only their options do: see \"What is safe\" in docs/operations.md");
    }
    let (concurrency, work_dir) = (settings.concurrency, settings.work_dir.clone());
    let worker = Arc::new(Download {
        deps: deps.clone(),
        settings,
        egress: Egress::new(deps.network.clone()),
        breakers: Breakers::new(DOWNLOAD.name, "media_host"),
    });
    tokio::select! {
        // On the heap: the future is large.
        outcome = Box::pin(consumer::run(worker, &deps, concurrency, shutdown)) => Ok(outcome?),
        never = temp_dirs::keep_clean(&work_dir, DIRECTORY) => match never {},
    }
}

struct Download {
    deps: WorkerDeps,
    settings: DownloadSettings,
    egress: Egress,
    breakers: Breakers,
}

/// The download of one job.
pub(super) struct DownloadUnit(pub(super) JobId);

impl StepUnit for DownloadUnit {
    type Aggregate = Job;
    const STEP: Step = DOWNLOAD;

    fn work_unit(&self) -> WorkUnit {
        WorkUnit { job_id: self.0, part: None }
    }

    fn aggregate_id(&self) -> Uuid {
        self.0.0
    }

    fn latest_attempt(&self, job: &Job) -> Option<u32> {
        (job.is_open() && job.audio.is_none()).then_some(job.download_attempt)
    }

    fn record_failure(&self, attempt: u32, failure: Failure, retry_in_ms: Option<u64>) -> JobCommand {
        JobCommand::RecordDownloadFailure { attempt, failure, retry_in_ms }
    }
}

impl StepWorker for Download {
    const STEP: Step = DOWNLOAD;

    async fn work(&self, message: Message) -> Outcome {
        let job_id = match message.job_id() {
            Ok(job_id) => job_id,
            Err(error) => return error.into(),
        };
        let host = match source_url(&message.event) {
            Ok(url) => url.as_ref().map(host_of),
            Err(error) => return outcome_of_unreadable(&error.into()),
        };
        if let Some(Err(delay)) = host.as_deref().map(|host| self.breakers.check(host)) {
            tracing::info!(host, retry_in_ms = as_ms(delay), "the host is unhealthy; the job waits");
            return Outcome::RetryAfter(with_jitter(delay));
        }
        let context = self.deps.context(DOWNLOAD.name, &message.event);
        let command = JobCommand::StartDownload { worker: self.deps.worker_of(DOWNLOAD.name) };
        let job = match self.deps.jobs.execute(job_id.0, command, &context).await {
            Ok(started) if started.events.is_empty() => return Outcome::Done,
            Ok(started) => started.aggregate,
            Err(error) => return outcome_from(&error),
        };
        let attempt = Attempt {
            deps: &self.deps,
            bus: &self.deps.jobs,
            context: &context,
            unit: DownloadUnit(job_id),
            number: job.download_attempt,
            stopping: message.stopping,
        };
        let work = async {
            let result = self.in_time(&attempt, &job).await.map_err(|error| with_advice(error, &job));
            if let Some(host) = &host {
                match &result {
                    Err(error) if UNHEALTHY.contains(&error.failure.code.as_str()) => {
                        self.breakers.record_failure(error.host.as_deref().unwrap_or(host), job_id.0);
                    }
                    _ => self.breakers.record_success(host),
                }
            }
            result
        };
        attempt.run(self.settings.retry, work).await
    }
}

impl Download {
    async fn in_time(&self, attempt: &Attempt<'_, DownloadUnit>, job: &Job) -> Result<JobCommand, StepError> {
        let limit = self.settings.timeout;
        tokio::time::timeout(limit, Box::pin(self.download(attempt, job))).await.unwrap_or_else(|_| {
            let message = format!("The download took longer than {}.", in_words(limit));
            Err(StepError::transient("timed_out", message))
        })
    }

    async fn download(&self, attempt: &Attempt<'_, DownloadUnit>, job: &Job) -> Result<JobCommand, StepError> {
        let directory = temp_dirs::create(&self.settings.work_dir, DIRECTORY).map_err(|e| StepError::disk(&e))?;
        let mut progress = Progress::new(attempt);
        let media = match &job.source {
            Some(MediaSource::Url { url }) => {
                network::check(&self.deps.network, url).await.map_err(|error| blocked::refused_url(&error))?;
                let proxy = self.egress.proxy().await.map_err(|e| StepError::disk(&e))?;
                ytdlp::download(url, directory.path(), &self.settings, &proxy, &mut progress).await?
            }
            Some(MediaSource::Upload { key, .. }) => self.upload(key, directory.path()).await?,
            None => return Err(StepError::permanent("invalid_url", "The job has no media source: submit it again.")),
        };
        let flac = directory.path().join("audio.flac");
        let language = Some(job.transcription.language.as_str()).filter(|language| *language != AUTO);
        let track = TrackChoice { number: job.transcription.audio_track, language };
        let settings = ConvertSettings { track, max_duration_ms: Some(as_ms(self.settings.max_duration)) };
        let converted = match convert_to_flac(&media.path, &flac, &settings, &mut |_| {}).await {
            Ok(converted) => converted,
            Err(error) => {
                // What a full disk has left of a download says nothing about the media.
                check_disk(directory.path()).await?;
                return Err(with_advice(error.into(), job));
            }
        };
        if converted.truncation.is_some() {
            check_disk(directory.path()).await?;
        }
        for warning in warnings::of_conversion(&converted, track) {
            tracing::warn!(
                code = warning.code,
                detail = warning.message,
                "the result will not be all that was expected"
            );
            attempt.execute(JobCommand::RaiseWarning { attempt: attempt.number, warning }).await?;
        }
        self.store(attempt, media.title, &flac, converted.duration_ms).await
    }

    /// Fetches an uploaded file from the blob store.
    async fn upload(&self, key: &str, directory: &Path) -> Result<Media, StepError> {
        let key = BlobKey::new(key)?;
        let path = directory.join("upload");
        let sent = self.deps.blobs.download_to(&key, &path).await?.bytes;
        let written = tokio::fs::metadata(&path).await.map_err(|e| StepError::disk(&e))?.len();
        if written != sent {
            let text = format!("{written} of {sent} bytes of the upload were written");
            return Err(StepError::disk(&std::io::Error::other(text)));
        }
        Ok(Media { path, title: None })
    }

    /// Plans the chunks of the audio, puts it into the blob store, and returns the command that records both. The planner
    /// must find as much as was converted, and the storage take as much as there is.
    async fn store(
        &self,
        attempt: &Attempt<'_, DownloadUnit>,
        title: Option<String>,
        flac: &Path,
        converted_ms: u64,
    ) -> Result<JobCommand, StepError> {
        let plan = plan_chunks(flac, PlanSettings::default()).await?;
        if plan.duration_ms != converted_ms || plan.truncation.is_some() {
            let detail = format!("of {converted_ms} ms that were written, {} ms can be read", plan.duration_ms);
            return Err(MediaError::Incomplete { detail }.into());
        }
        let bytes = tokio::fs::metadata(flac).await.map_err(|e| StepError::disk(&e))?.len();
        let key = audio_key(attempt.unit.0, attempt.number)?;
        let info = self.deps.blobs.put_file(&key, flac).await?;
        if info.bytes != bytes {
            let message = format!("Storage has {} of {bytes} bytes of the audio. The step is tried again.", info.bytes);
            return Err(StepError::transient("audio_corrupt", message));
        }
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

/// What came from a URL may not be the media that the client has seen there.
fn with_advice(mut error: StepError, job: &Job) -> StepError {
    if error.failure.code == "not_media" && matches!(job.source, Some(MediaSource::Url { .. })) {
        let advice = " Or send the URL of the media file itself, or of a page that plays it.";
        error.failure.message.push_str(advice);
    }
    error
}

/// Fails if the disk is full, as a small file shows.
async fn check_disk(directory: &Path) -> Result<(), StepError> {
    /// More than file systems keep in reserve for the end of a file.
    const PROBE: usize = 256 * 1024;
    let path = directory.join("probe");
    let write = async {
        let mut file = tokio::fs::File::create(&path).await?;
        file.write_all(&vec![0; PROBE]).await?;
        file.flush().await?;
        file.sync_all().await
    };
    let written = write.await;
    let removed = tokio::fs::remove_file(&path).await;
    written.and(removed).map_err(|error| StepError::disk(&error))
}

/// The URL that a `JobCreated` names; `None` for an upload.
fn source_url(event: &CloudEvent) -> Result<Option<Url>, PayloadError> {
    let source = |event| match event {
        JobEvent::JobCreated { source, .. } => Some(source),
        _ => None,
    };
    match event.decode()?.into_iter().find_map(source) {
        Some(MediaSource::Url { url }) => Ok(Some(url)),
        Some(MediaSource::Upload { .. }) => Ok(None),
        None => Err(PayloadError::UnknownType),
    }
}

/// Each attempt has a blob of its own, so that a superseded one never replaces the audio that its successor has recorded.
fn audio_key(job_id: JobId, attempt: u32) -> Result<BlobKey, StepError> {
    Ok(BlobKey::new(format!("audio/{job_id}/{attempt}.flac"))?)
}

/// A duration in minutes or seconds.
fn in_words(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds >= 60 && seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod egress_tests;
#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod tests;
