//! The step `transcribe`: a scheduled chunk of a job's audio becomes text.
//!
//! ```text
//! StartChunk ─▶ audio from the blob store, cached for the job's other chunks ─▶ Whisper ─▶ RecordChunk
//! ```

mod cache;
mod options;
mod settings;

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use ytcaption_blobstore::{BlobError, BlobInfo, BlobKey};
use ytcaption_domain::captions::Segment;
use ytcaption_domain::job::{Failure, Job, JobCommand, JobEvent, JobRejection};
use ytcaption_domain::step::{Step, TRANSCRIBE};
use ytcaption_domain::text;
use ytcaption_domain::upcast::PayloadError;
use ytcaption_domain::{CommandContext, JobId, Span};
use ytcaption_eventstore::work::{self, WorkUnit};
use ytcaption_eventstore::{CommandError, Executed};
use ytcaption_telemetry::metrics;
use ytcaption_whisper::{CacheError, CacheSettings, FileError, ModelCache, TranscribeError, timing, transcribe_chunk};

pub use settings::TranscribeSettings;

use super::attempt::{Attempt, StepUnit};
use super::commands::{outcome_from, outcome_of_unreadable};
use super::error::{StepError, sentence};
use crate::cloud_event::CloudEvent;
use crate::consumer::{self, Message, Outcome, StepWorker};
use crate::{StartError, WorkerDeps};
use cache::AudioCache;

/// Deliveries after which a job fails that was started with a model that no worker has any more; each but the first comes
/// [`OTHER_MODEL_DELAY`] after the one before.
const OTHER_MODEL_DELIVERIES: u64 = 40;
/// How long a chunk waits for a worker with the model its job was started with.
const OTHER_MODEL_DELAY: Duration = Duration::from_secs(5);

/// Loads the default model and transcribes until `shutdown`; other models are loaded when a job requests them.
///
/// # Errors
/// The default model cannot be loaded, its settings are wrong, NATS cannot be used, or the cache directory cannot be
/// created.
pub async fn run(
    deps: WorkerDeps,
    models: CacheSettings,
    settings: TranscribeSettings,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    timing::observe(|phase, took| metrics::transcription_phase(phase.name(), took));
    let models = ModelCache::new(models);
    let default = models.catalogue().default_model().name.clone();
    let replicas = match shutdown.run_until_cancelled(models.get(&default)).await {
        None => return Ok(()),
        Some(loaded) => loaded?.replicas(),
    };
    let cache =
        AudioCache::new(&settings.cache_dir, settings.cache_bytes, Arc::clone(&deps.blobs)).map_err(|source| {
            let what = format!("the cache directory {} cannot be created", settings.cache_dir.display());
            StartError::Io { what, source }
        })?;
    let cache_dir = settings.cache_dir.clone();
    let concurrency = if settings.concurrency == 0 { replicas } else { settings.concurrency };
    let worker = Arc::new(Transcribe { deps: deps.clone(), settings, models, cache, running: RwLock::default() });
    tokio::select! {
        // On the heap: the future is large.
        outcome = Box::pin(consumer::run(worker, &deps, concurrency, shutdown)) => Ok(outcome?),
        never = AudioCache::keep_clean(&cache_dir) => match never {},
    }
}

/// Lost attempts that may be another chunk's in the same process. One happens to any chunk whose worker is killed; it must not
/// slow down the work for the others.
const MAY_BE_OF_ANOTHER: i64 = 2;

struct Transcribe {
    deps: WorkerDeps,
    settings: TranscribeSettings,
    models: ModelCache,
    cache: AudioCache,
    /// Held by each chunk in progress, and for writing by one that runs alone.
    running: RwLock<()>,
}

/// A chunk of a job, as its `ChunkScheduled` has it.
pub(super) struct Scheduled {
    pub(super) job_id: JobId,
    pub(super) chunk: u32,
    pub(super) span: Span,
}

impl Scheduled {
    fn from_event(job_id: JobId, event: &CloudEvent) -> Result<Self, PayloadError> {
        let scheduled = |event| match event {
            JobEvent::ChunkScheduled { chunk, start_ms, end_ms } => {
                Some(Self { job_id, chunk, span: Span { start_ms, end_ms } })
            }
            _ => None,
        };
        event.decode()?.into_iter().find_map(scheduled).ok_or(PayloadError::UnknownType)
    }
}

impl StepUnit for &Scheduled {
    type Aggregate = Job;
    const STEP: Step = TRANSCRIBE;
    /// [`MAY_BE_OF_ANOTHER`], and one that ran alone.
    const MAX_LOST_ATTEMPTS: i64 = 3;

    fn work_unit(&self) -> WorkUnit {
        WorkUnit { job_id: self.job_id, part: Some(self.chunk) }
    }

    fn aggregate_id(&self) -> Uuid {
        self.job_id.0
    }

    fn latest_attempt(&self, job: &Job) -> Option<u32> {
        job.chunk(self.chunk).filter(|chunk| job.is_open() && chunk.result.is_none()).map(|chunk| chunk.attempt)
    }

    fn record_failure(&self, attempt: u32, failure: Failure, retry_in_ms: Option<u64>) -> JobCommand {
        JobCommand::RecordChunkFailure { chunk: self.chunk, attempt, failure, retry_in_ms }
    }
}

impl StepWorker for Transcribe {
    const STEP: Step = TRANSCRIBE;

    async fn work(&self, message: Message) -> Outcome {
        let job_id = match message.job_id() {
            Ok(job_id) => job_id,
            Err(error) => return error.into(),
        };
        let scheduled = match Scheduled::from_event(job_id, &message.event) {
            Ok(scheduled) => scheduled,
            Err(error) => return outcome_of_unreadable(&error.into()),
        };
        let context = self.deps.context(TRANSCRIBE.name, &message.event);
        // Native code that crashes takes every chunk of the process with it. A chunk that was lost twice runs alone, so
        // that another crash is its own and the other chunks are not lost again because of it.
        let (_shared, _alone) = if self.may_crash(&scheduled, &message).await {
            tracing::warn!(chunk = scheduled.chunk, "workers died during this chunk, so it is transcribed alone");
            (None, Some(self.running.write().await))
        } else {
            (Some(self.running.read().await), None)
        };
        let job = match self.start(&scheduled, &context).await {
            Ok(started) if started.events.is_empty() => return Outcome::Done,
            Ok(started) => started.aggregate,
            Err(CommandError::Rejected(JobRejection::ModelChanged { started_with: wanted, .. })) => {
                return self.model_not_here(&wanted, &message, &scheduled, &context).await;
            }
            Err(error) => return outcome_from(&error),
        };
        let attempt = self.attempt(&scheduled, &context, &job, message.stopping);
        attempt.run(self.settings.retry, Box::pin(self.transcribe(&attempt, &job))).await
    }
}

type ChunkAttempt<'a> = Attempt<'a, &'a Scheduled>;

impl Transcribe {
    fn attempt<'a>(
        &'a self,
        unit: &'a Scheduled,
        context: &'a CommandContext,
        job: &Job,
        stopping: CancellationToken,
    ) -> ChunkAttempt<'a> {
        let number = unit.latest_attempt(job).unwrap_or_default();
        Attempt { deps: &self.deps, bus: &self.deps.jobs, context, unit, number, stopping }
    }

    /// Whether workers have died during attempts at the chunk. The message of such a chunk comes again.
    async fn may_crash(&self, scheduled: &Scheduled, message: &Message) -> bool {
        if message.deliveries == 1 && !message.republished {
            return false;
        }
        let lost = work::unfinished_attempts(&self.deps.database, &TRANSCRIBE, scheduled.work_unit()).await;
        lost.is_ok_and(|lost| lost >= MAY_BE_OF_ANOTHER)
    }

    /// Starts a chunk with the default model, or with the one that its job requests, if this worker has it.
    async fn start(
        &self,
        Scheduled { job_id, chunk, .. }: &Scheduled,
        context: &CommandContext,
    ) -> Result<Executed<Job>, CommandError<JobRejection>> {
        let worker = self.deps.worker_of(TRANSCRIBE.name);
        let start = |model: String| {
            let command = JobCommand::StartChunk { chunk: *chunk, worker: worker.clone(), model };
            self.deps.jobs.execute(job_id.0, command, context)
        };
        let models = self.models.catalogue();
        match start(models.default_model().name.clone()).await {
            Err(CommandError::Rejected(JobRejection::ModelChanged { started_with: wanted, .. }))
                if models.find(&wanted).is_some() =>
            {
                start(wanted).await
            }
            outcome => outcome,
        }
    }

    async fn transcribe(&self, attempt: &ChunkAttempt<'_>, job: &Job) -> Result<JobCommand, StepError> {
        let default = &self.models.catalogue().default_model().name;
        let model = self.models.get(job.model.as_ref().unwrap_or(default)).await;
        let model = model.map_err(|error| self.model_unusable(&error))?;
        let mut options = options::requested(job, self.settings.beam_size);
        model.check(&options).map_err(|error| StepError::from(FileError::Transcribe(error)))?;
        let audio = job.audio.as_ref().ok_or_else(|| {
            StepError::permanent("audio_missing", "The audio of the job was never recorded: submit the media again.")
        })?;
        let recorded = BlobInfo { bytes: audio.bytes, sha256: audio.sha256.clone() };
        let local = self.cache.get(&BlobKey::new(audio.key.clone())?, &recorded).await.map_err(audio_unusable)?;
        options.language = options::language(attempt, job, &model, local.path(), &options).await?;
        options.beam_size = options::beam_size(attempt, job, options.beam_size).await?;
        let span = attempt.unit.span;
        let transcript =
            transcribe_chunk(&model, local.path(), span, &options, &mut |_| ControlFlow::Continue(())).await?;
        Ok(JobCommand::RecordChunk {
            chunk: attempt.unit.chunk,
            attempt: attempt.number,
            language: transcript.language,
            segments: transcript.segments.into_iter().filter_map(printable).collect(),
        })
    }

    /// The job needs a model that this worker does not have.
    async fn model_not_here(
        &self,
        wanted: &str,
        message: &Message,
        scheduled: &Scheduled,
        context: &CommandContext,
    ) -> Outcome {
        let job = match self.deps.jobs.load(scheduled.job_id.0).await {
            Ok((job, _)) => job,
            Err(error) => return outcome_from(&error),
        };
        let was_started = job.chunks.iter().any(|chunk| chunk.attempt > 0);
        let here = self.usable_models();
        if was_started && message.deliveries < OTHER_MODEL_DELIVERIES {
            // Workers with that model are busy with the job; this one received the message by chance.
            tracing::info!(wanted, here, "the chunk waits for a worker with the model its job was started with");
            return Outcome::RetryAfter(OTHER_MODEL_DELAY);
        }
        let reason = if was_started {
            format!("The job was started with the model `{wanted}`, which no worker has any more: submit it again.")
        } else {
            format!("There is no model `{wanted}`. This server has: {here}.")
        };
        let attempt = self.attempt(scheduled, context, &job, message.stopping.clone());
        attempt.fail(StepError::permanent("unknown_model", reason), self.settings.retry).await
    }

    /// The model of a job cannot be used. What is wrong with its directory is for the log only.
    fn model_unusable(&self, error: &CacheError) -> StepError {
        tracing::error!(%error, "the model of a job cannot be used; run `ytcaption models verify`");
        match error {
            CacheError::Unknown { .. } => StepError::permanent("unknown_model", format!("{}.", sentence(error))),
            // Another worker may have a complete copy, or more memory.
            CacheError::Broken { name, .. } | CacheError::TooLarge { name, .. } => StepError::transient(
                "model_unusable",
                format!(
                    "The model `{name}` cannot be used on this server; its log says why. Other models: {}.",
                    self.usable_models()
                ),
            ),
        }
    }

    /// Names of the models that this worker can use, separated by commas.
    fn usable_models(&self) -> String {
        self.models.usable().join(", ")
    }
}

/// The segment without control characters: a model's vocabulary has every byte, and so what no caption may hold and no
/// database stores. `None` if nothing else is left.
fn printable(mut segment: Segment) -> Option<Segment> {
    let clean = |text: &mut String| {
        if let Cow::Owned(cleaned) = text::without_controls(text) {
            *text = cleaned;
        }
    };
    clean(&mut segment.text);
    segment.words.iter_mut().for_each(|word| clean(&mut word.text));
    (!segment.text.trim().is_empty()).then_some(segment)
}

/// The audio that a download worker has stored cannot be fetched.
fn audio_unusable(error: BlobError) -> StepError {
    match error {
        BlobError::NotFound { .. } => StepError::permanent(
            "audio_missing",
            "The audio of the job is no longer in storage: submit the media again. If this happens to every job, the \
             workers do not share their storage.",
        ),
        BlobError::Corrupt { .. } => {
            StepError::permanent("audio_corrupt", "The audio of the job is corrupt in storage: submit the media again.")
        }
        other => other.into(),
    }
}

impl From<FileError> for StepError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Media(error) => error.into(),
            FileError::Transcribe(error) => {
                let message = format!("{}.", sentence(&error));
                match error {
                    TranscribeError::UnknownLanguage { .. } => Self::permanent("unknown_language", message),
                    TranscribeError::CannotTranslate => Self::permanent("cannot_translate", message),
                    error if error.is_permanent() => Self::permanent("invalid_option", message),
                    _ => {
                        let message = "The speech model failed. The step is tried again.";
                        Self::transient("transcription_failed", message).because(error)
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
