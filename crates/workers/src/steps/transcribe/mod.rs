//! `ChunkScheduled` → the text of that chunk.
//!
//! ```text
//! StartChunk ─▶ audio from the blob store, kept for its other chunks ─▶ Whisper ─▶ RecordChunk
//! ```

mod beam;
mod cache;
mod language;
mod settings;

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use ytcaption_blobstore::{BlobError, BlobInfo, BlobKey};
use ytcaption_domain::Span;
use ytcaption_domain::job::{Job, JobCommand, JobEvent, JobRejection};
use ytcaption_domain::language::AUTO;
use ytcaption_domain::upcast::PayloadError;
use ytcaption_domain::{CommandContext, JobId};
use ytcaption_eventstore::{CommandError, Executed};
use ytcaption_telemetry::metrics;
use ytcaption_whisper::{
    CacheError, CacheSettings, FileError, ModelCache, TranscribeError, TranscribeOptions, Transcriber, timing,
    transcribe_chunk,
};

pub use settings::TranscribeSettings;

use super::attempt::{Attempt, Step};
use super::commands::{outcome_of, unreadable};
use super::error::{StepError, sentence};
use crate::cloud_event::CloudEvent;
use crate::consumer::{self, Message, Outcome, Queue, StepWorker, by_priority};
use crate::{StartError, WorkerDeps};
use cache::AudioCache;

const QUEUES: [Queue; 3] = by_priority("transcribe-high", "transcribe-normal", "transcribe-low");

/// Deliveries after which a job that was begun with a model that nobody has any more is given up; each but the first
/// comes [`OTHER_MODEL_PAUSE`] after the one before.
const OTHER_MODEL_DELIVERIES: u64 = 40;
/// How long a chunk waits for a worker with the model its job was begun with.
const OTHER_MODEL_PAUSE: std::time::Duration = std::time::Duration::from_secs(5);

/// Loads the default model and transcribes until `shutdown`; other models are loaded when a job wants them.
///
/// # Errors
/// The default model cannot be loaded, its settings are wrong, NATS cannot be used, or the cache folder cannot be made.
pub async fn run(
    deps: WorkerDeps,
    models: CacheSettings,
    settings: TranscribeSettings,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    timing::observe(|step, took| metrics::transcription_step(step.name(), took));
    let models = ModelCache::new(models);
    let usual = models.catalogue().default_model().name.clone();
    let replicas = match shutdown.run_until_cancelled(models.get(&usual)).await {
        None => return Ok(()),
        Some(loaded) => loaded?.replicas(),
    };
    let cache =
        AudioCache::new(&settings.cache_dir, settings.cache_bytes, Arc::clone(&deps.blobs)).map_err(|source| {
            StartError::Io { what: format!("the cache folder {} cannot be made", settings.cache_dir.display()), source }
        })?;
    let concurrency = if settings.concurrency == 0 { replicas } else { settings.concurrency };
    let (nats, grace) = (deps.nats.clone(), deps.grace);
    let worker = Arc::new(Transcribe { deps, settings, models, cache });
    // On the heap: with what it waits for it is large.
    Box::pin(consumer::run(worker, &QUEUES, concurrency, &nats, grace, shutdown)).await?;
    Ok(())
}

struct Transcribe {
    deps: WorkerDeps,
    settings: TranscribeSettings,
    models: ModelCache,
    cache: AudioCache,
}

/// What a `ChunkScheduled` says.
struct Scheduled {
    chunk: u32,
    start_ms: u64,
    end_ms: u64,
}

impl Scheduled {
    fn read(event: &CloudEvent) -> Result<Self, PayloadError> {
        let wanted = |event| match event {
            JobEvent::ChunkScheduled { chunk, start_ms, end_ms } => Some(Self { chunk, start_ms, end_ms }),
            _ => None,
        };
        event.decode()?.into_iter().find_map(wanted).ok_or(PayloadError::UnknownType)
    }
}

impl StepWorker for Transcribe {
    const NAME: &'static str = "transcribe";

    async fn work(&self, message: Message) -> Outcome {
        let scheduled = match Scheduled::read(&message.event) {
            Ok(scheduled) => scheduled,
            Err(error) => return unreadable(&error.into()),
        };
        let context = self.deps.context(Self::NAME, &message.event);
        let attempt = |number| Attempt {
            deps: &self.deps,
            context: &context,
            job_id: message.job_id,
            step: Step::Chunk(scheduled.chunk),
            number,
        };
        let started = match self.start(message.job_id, scheduled.chunk, &context).await {
            Ok(started) if started.events.is_empty() => return Outcome::Done,
            Ok(started) => started,
            Err(CommandError::Rejected(JobRejection::ModelChanged { started_with: begun, .. })) => {
                return self.other_model(&begun, &message, &attempt(0), message.job_id).await;
            }
            Err(error) => return outcome_of(&error),
        };
        let job = started.aggregate;
        let number = job.chunk(scheduled.chunk).map_or(0, |chunk| chunk.attempt);
        let attempt = attempt(number);
        attempt.run(self.settings.retry, Box::pin(self.transcribe(&attempt, &job, &scheduled))).await
    }
}

impl Transcribe {
    /// Begins a chunk with the default model, or with the one its job wants, if that is here.
    async fn start(
        &self,
        job_id: JobId,
        chunk: u32,
        context: &CommandContext,
    ) -> Result<Executed<Job>, CommandError<JobRejection>> {
        let worker = self.deps.worker_of(Self::NAME);
        let begin = |model: String| {
            let command = JobCommand::StartChunk { chunk, worker: worker.clone(), model };
            self.deps.jobs.execute(job_id.0, command, context)
        };
        let models = self.models.catalogue();
        match begin(models.default_model().name.clone()).await {
            Err(CommandError::Rejected(JobRejection::ModelChanged { started_with: begun, .. }))
                if models.find(&begun).is_some() =>
            {
                begin(begun).await
            }
            outcome => outcome,
        }
    }

    async fn transcribe(
        &self,
        attempt: &Attempt<'_>,
        job: &Job,
        scheduled: &Scheduled,
    ) -> Result<JobCommand, StepError> {
        let usual = &self.models.catalogue().default_model().name;
        let model =
            self.models.get(job.model.as_ref().unwrap_or(usual)).await.map_err(|error| self.no_model(&error))?;
        let mut options = self.options(job, &model)?;
        let audio = job.audio.as_ref().ok_or_else(|| {
            StepError::permanent("audio_missing", "The job's audio was never recorded: submit the recording again.")
        })?;
        let recorded = BlobInfo { bytes: audio.bytes, sha256: audio.sha256.clone() };
        let local = self.cache.get(&BlobKey::new(audio.key.clone())?, &recorded).await.map_err(no_audio)?;
        options.language = language::language(attempt, job, &model, local.path(), &options).await?;
        options.beam_size = beam::beam_size(attempt, job, options.beam_size).await?;
        let span = Span { start_ms: scheduled.start_ms, end_ms: scheduled.end_ms };
        let transcript = transcribe_chunk(&model, local.path(), span, &options, &mut |_| ControlFlow::Continue(()))
            .await
            .map_err(step_error)?;
        Ok(JobCommand::RecordChunk {
            chunk: scheduled.chunk,
            attempt: attempt.number,
            language: transcript.language,
            segments: transcript.segments,
        })
    }

    fn options(&self, job: &Job, model: &Transcriber) -> Result<TranscribeOptions, StepError> {
        let asked = job.transcription.clone();
        let default = TranscribeOptions { beam_size: self.settings.beam_size, ..TranscribeOptions::default() };
        let options = TranscribeOptions {
            language: Some(asked.language).filter(|language| language != AUTO),
            task: asked.task,
            initial_prompt: asked.initial_prompt,
            hotwords: asked.hotwords,
            word_timestamps: asked.word_timestamps.unwrap_or(default.word_timestamps),
            ..default
        };
        model.check(&options).map_err(|error| step_error(FileError::Transcribe(error)))?;
        Ok(options)
    }

    /// The job wants another model than this worker has.
    async fn other_model(&self, wanted: &str, message: &Message, attempt: &Attempt<'_>, job_id: JobId) -> Outcome {
        let job = match self.deps.jobs.load(job_id.0).await {
            Ok((job, _)) => job,
            Err(error) => return outcome_of(&error),
        };
        let begun = job.chunks.iter().any(|chunk| chunk.attempt > 0);
        let here = self.names();
        if begun && message.deliveries < OTHER_MODEL_DELIVERIES {
            // Others with that model are at work on it; this worker was only asked by chance.
            tracing::info!(wanted, here, "the chunk waits for a worker with the model its job was begun with");
            return Outcome::RetryAfter(OTHER_MODEL_PAUSE);
        }
        let chunk_attempt = match attempt.step {
            Step::Chunk(chunk) => job.chunk(chunk).map_or(0, |chunk| chunk.attempt),
            Step::Download => 0,
        };
        let message = if begun {
            format!("The job was begun with the model `{wanted}`, which no worker has any more: submit it again.")
        } else {
            format!("There is no model `{wanted}`. This server has: {here}.")
        };
        let attempt = Attempt { number: chunk_attempt, ..*attempt };
        attempt.fail(StepError::permanent("unknown_model", message), self.settings.retry).await
    }

    /// Why a model could not be had, in words for the client; what is wrong with its folder is for the log.
    fn no_model(&self, error: &CacheError) -> StepError {
        tracing::error!(%error, "a job's model cannot be used; `ytcaption models verify` says more");
        match error {
            CacheError::Unknown { .. } => StepError::permanent("unknown_model", format!("{}.", sentence(error))),
            // Another worker may have a sound copy, or more memory.
            CacheError::Broken { name, .. } | CacheError::TooLarge { name, .. } => StepError::transient(
                "model_unusable",
                format!(
                    "The model `{name}` cannot be used on this server; its log says why. There are: {}.",
                    self.names()
                ),
            ),
        }
    }

    /// Names of the models that can be used here, separated by commas.
    fn names(&self) -> String {
        self.models.usable().join(", ")
    }
}

/// The audio that a download worker has stored cannot be fetched.
fn no_audio(error: BlobError) -> StepError {
    match error {
        BlobError::NotFound { .. } => StepError::permanent(
            "audio_missing",
            "The job's audio is gone from storage: submit the recording again. If this happens to every job, the \
             workers do not share their storage.",
        ),
        BlobError::Corrupt { .. } => {
            StepError::permanent("audio_damaged", "The job's audio is damaged in storage: submit the recording again.")
        }
        other => other.into(),
    }
}

fn step_error(error: FileError) -> StepError {
    match error {
        FileError::Media(error) => error.into(),
        FileError::Transcribe(error @ TranscribeError::UnknownLanguage { .. }) => {
            StepError::permanent("unknown_language", format!("{}.", sentence(&error)))
        }
        FileError::Transcribe(error @ TranscribeError::CannotTranslate) => {
            StepError::permanent("cannot_translate", format!("{}.", sentence(&error)))
        }
        FileError::Transcribe(error) if error.is_permanent() => {
            StepError::permanent("invalid_option", format!("{}.", sentence(&error)))
        }
        FileError::Transcribe(error) => StepError::transient("transcription_failed", format!("{}.", sentence(&error))),
    }
}

#[cfg(test)]
mod tests;
