//! A new step, added as CONTRIBUTING.md says: its events, its entry in the step table, and its worker. No other file knows
//! it, and it runs through Postgres, the relay, JetStream and the consumer loop.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use ytcaption_domain::event::EventFamily;
use ytcaption_domain::job::{Failure, JobCommand, JobEvent};
use ytcaption_domain::step::{DOWNLOAD, NOTIFY, Queues, Step, TRANSCRIBE, Unit};
use ytcaption_domain::{JobId, Routed};
use ytcaption_eventstore::work::{self, WorkUnit, pending_events};
use ytcaption_eventstore::{Clock, CommandBus, IdGenerator, read_stream};

use super::attempt::{Attempt, RetrySettings, StepUnit};
use super::commands::outcome_from;
use super::error::StepError;
use crate::WorkerDeps;
use crate::consumer::{self, Message, Outcome, StepWorker};
use crate::testing::{TestHarness, until};
use crate::topology;

// The step's events.

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, EventFamily)]
#[event_family(aggregate = "toy", data_key = job_id)]
#[serde(tag = "type")]
#[expect(clippy::enum_variant_names, reason = "the names of the events begin with that of their aggregate")]
enum ToyEvent {
    /// A worker has started an attempt.
    ToyStarted { job_id: JobId, attempt: u32, worker: String },
    /// An attempt has failed.
    ToyAttemptFailed {
        job_id: JobId,
        attempt: u32,
        #[personal(message)]
        failure: Failure,
        retry_in_ms: Option<u64>,
    },
    /// The toy is made.
    ToyMade { job_id: JobId, attempt: u32 },
}

/// The aggregate that records the attempts. Its id follows from that of its job, whose data key it shares.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Toy {
    attempt: u32,
    is_made: bool,
    has_failed: bool,
}

fn toy_id(job_id: JobId) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, job_id.0.as_bytes())
}

#[derive(Debug, Clone)]
enum ToyCommand {
    Start { job_id: JobId, worker: String },
    RecordFailure { job_id: JobId, attempt: u32, failure: Failure, retry_in_ms: Option<u64> },
    RecordMade { job_id: JobId, attempt: u32 },
}

#[derive(Debug, thiserror::Error)]
enum ToyRejection {}

impl Aggregate for Toy {
    const TYPE: &'static str = "toy";
    type Command = ToyCommand;
    type Event = ToyEvent;
    type Error = ToyRejection;
    type Services = ();

    async fn handle(&mut self, command: ToyCommand, (): &(), sink: &EventSink<Self>) -> Result<(), ToyRejection> {
        if self.is_made || self.has_failed {
            return Ok(());
        }
        let event = match command {
            ToyCommand::Start { job_id, worker } => ToyEvent::ToyStarted { job_id, attempt: self.attempt + 1, worker },
            ToyCommand::RecordFailure { job_id, attempt, failure, retry_in_ms } if attempt == self.attempt => {
                ToyEvent::ToyAttemptFailed { job_id, attempt, failure, retry_in_ms }
            }
            ToyCommand::RecordMade { job_id, attempt } if attempt == self.attempt => {
                ToyEvent::ToyMade { job_id, attempt }
            }
            _ => return Ok(()),
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: ToyEvent) {
        match event {
            ToyEvent::ToyStarted { attempt, .. } => self.attempt = attempt,
            ToyEvent::ToyAttemptFailed { retry_in_ms, .. } => self.has_failed = retry_in_ms.is_none(),
            ToyEvent::ToyMade { .. } => self.is_made = true,
        }
    }
}

impl Routed for Toy {
    fn route(&self) -> &'static str {
        "toy"
    }
}

// The step's entry in the table.

const TOY: Step = Step {
    name: "toy",
    description: "jobs that wait for their toy",
    triggers: &[JobEvent::JOB_CREATED],
    needs: None,
    unit: Unit::Job,
    started: Some(ToyEvent::TOY_STARTED),
    failed: ToyEvent::TOY_ATTEMPT_FAILED,
    done: &[ToyEvent::TOY_MADE],
    ends_with_job: true,
    queues: Queues::Single,
    max_ack_pending: 100,
};

static STEPS_WITH_TOY: [Step; 4] = [DOWNLOAD, TRANSCRIBE, NOTIFY, TOY];

// The step's worker.

struct ToyUnit(JobId);

impl StepUnit for ToyUnit {
    type Aggregate = Toy;
    const STEP: Step = TOY;

    fn work_unit(&self) -> WorkUnit {
        WorkUnit { job_id: self.0, part: None }
    }

    fn aggregate_id(&self) -> Uuid {
        toy_id(self.0)
    }

    fn latest_attempt(&self, toy: &Toy) -> Option<u32> {
        (!toy.is_made && !toy.has_failed).then_some(toy.attempt)
    }

    fn record_failure(&self, attempt: u32, failure: Failure, retry_in_ms: Option<u64>) -> ToyCommand {
        ToyCommand::RecordFailure { job_id: self.0, attempt, failure, retry_in_ms }
    }
}

/// What the worker does in an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Make,
    Fail,
    Hang,
}

struct ToyMaker {
    deps: WorkerDeps,
    bus: CommandBus<Toy>,
    behaviour: fn(u32) -> Behaviour,
    /// Messages received.
    received: Arc<AtomicU32>,
}

impl StepWorker for ToyMaker {
    const STEP: Step = TOY;

    async fn work(&self, message: Message) -> Outcome {
        self.received.fetch_add(1, Ordering::Relaxed);
        let job_id = match message.job_id() {
            Ok(job_id) => job_id,
            Err(error) => return error.into(),
        };
        let context = self.deps.context(TOY.name, &message.event);
        let start = ToyCommand::Start { job_id, worker: self.deps.worker_of(TOY.name) };
        let number = match self.bus.execute(toy_id(job_id), start, &context).await {
            Ok(started) if started.events.is_empty() => return Outcome::Done,
            Ok(started) => started.aggregate.attempt,
            Err(error) => return outcome_from(&error),
        };
        let attempt = Attempt {
            deps: &self.deps,
            bus: &self.bus,
            context: &context,
            unit: ToyUnit(job_id),
            number,
            stopping: message.stopping.clone(),
        };
        let delay = Duration::from_millis(100);
        let retry = RetrySettings { max_attempts: 2, min_delay: delay, max_delay: delay };
        let work = async {
            match (self.behaviour)(number) {
                Behaviour::Make => Ok(ToyCommand::RecordMade { job_id, attempt: number }),
                Behaviour::Fail => Err(StepError::transient("toy_broken", "The toy broke.")),
                Behaviour::Hang => std::future::pending().await,
            }
        };
        attempt.run(retry, work).await
    }
}

async fn harness() -> TestHarness {
    let mut harness = TestHarness::with_steps(&STEPS_WITH_TOY).await;
    harness.start_relay();
    harness
}

/// Starts a worker; returns how many messages it has received.
fn start(harness: &mut TestHarness, behaviour: fn(u32) -> Behaviour) -> Arc<AtomicU32> {
    let received = Arc::new(AtomicU32::new(0));
    let bus = CommandBus::new(&harness.deps.database, harness.appender.clone(), Clock::system(), IdGenerator::system());
    let maker = Arc::new(ToyMaker { deps: harness.deps.clone(), bus, behaviour, received: Arc::clone(&received) });
    harness.start(move |deps, stop| Box::pin(async move { consumer::run(maker, &deps, 2, stop).await }));
    received
}

async fn toy_events(harness: &TestHarness, job: JobId) -> Vec<ToyEvent> {
    let events = read_stream(&harness.deps.database, "toy", &toy_id(job).to_string()).await.unwrap();
    events.iter().flat_map(|event| event.decode::<ToyEvent>().unwrap()).collect()
}

async fn names(harness: &TestHarness, job: JobId) -> Vec<&'static str> {
    toy_events(harness, job).await.iter().map(|event| event.event().name).collect()
}

/// Messages of the step's queue that wait or are in progress.
async fn waiting(harness: &TestHarness) -> u64 {
    let jetstream = topology::jetstream(&harness.deps.nats);
    let consumer: async_nats::jetstream::consumer::PullConsumer =
        jetstream.get_consumer_from_stream("toy", "YTCAPTION_EVENTS").await.unwrap();
    let info = consumer.cached_info();
    info.num_pending + info.num_ack_pending as u64
}

async fn pending_jobs(harness: &TestHarness, steps: &[Step], job: JobId) -> Vec<bool> {
    let pending = pending_events(&harness.deps.database, steps, &[job.to_string()], &[1]).await.unwrap();
    pending.into_iter().map(|event| event.is_in_flight).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_is_retried_and_a_permanent_failure_is_not() {
    let mut harness = harness().await;
    start(&mut harness, |attempt| if attempt == 1 { Behaviour::Fail } else { Behaviour::Make });
    let job = harness.submit_url("http://example.org/a.mp4").await;
    let expected = ["ToyStarted", "ToyAttemptFailed", "ToyStarted", "ToyMade"];
    until("the toy is made", async || names(&harness, job).await == expected).await;
    let ToyEvent::ToyAttemptFailed { failure, retry_in_ms, attempt: 1, .. } = &toy_events(&harness, job).await[1]
    else {
        unreachable!()
    };
    assert_eq!((failure.code.as_str(), retry_in_ms.is_some_and(|ms| ms <= 100)), ("toy_broken", true));
    until("the queue is empty", async || waiting(&harness).await == 0).await;
    assert!(pending_jobs(&harness, &[TOY], job).await.is_empty(), "it is made");
    assert_eq!(pending_jobs(&harness, &STEPS_WITH_TOY, job).await, [false], "the download of the job still is pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_last_attempt_the_failure_is_final() {
    let mut harness = harness().await;
    start(&mut harness, |_| Behaviour::Fail);
    let job = harness.submit_url("http://example.org/a.mp4").await;
    let expected = ["ToyStarted", "ToyAttemptFailed", "ToyStarted", "ToyAttemptFailed"];
    until("the second attempt has failed", async || names(&harness, job).await == expected).await;
    until("the queue is empty", async || waiting(&harness).await == 0).await;
    let ToyEvent::ToyAttemptFailed { failure, retry_in_ms: None, .. } = &toy_events(&harness, job).await[3] else {
        unreachable!()
    };
    assert_eq!(failure.message, "The toy broke. Given up after 2 attempts.");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_a_lost_worker_goes_to_another() {
    let mut harness = harness().await;
    start(&mut harness, |_| Behaviour::Hang);
    let job = harness.submit_url("http://example.org/a.mp4").await;
    until("the first worker has started", async || names(&harness, job).await == ["ToyStarted"]).await;
    assert_eq!(pending_jobs(&harness, &[TOY], job).await, [true]);
    harness.kill_last();
    start(&mut harness, |_| Behaviour::Make);
    let expected = ["ToyStarted", "ToyStarted", "ToyMade"];
    until("the second worker has made the toy", async || names(&harness, job).await == expected).await;
    let unit = WorkUnit { job_id: job, part: None };
    assert_eq!(work::unfinished_attempts(&harness.deps.database, &TOY, unit).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_stream_has_lost_is_published_again() {
    let mut harness = harness().await;
    let job = harness.submit_url("http://example.org/a.mp4").await;
    until("the message is in the queue", async || waiting(&harness).await == 1).await;
    topology::jetstream(&harness.deps.nats).delete_stream("YTCAPTION_EVENTS").await.unwrap();
    let received = start(&mut harness, |_| Behaviour::Make);
    until("the toy is made", async || names(&harness, job).await == ["ToyStarted", "ToyMade"]).await;
    assert!(received.load(Ordering::Relaxed) >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_stops_when_the_job_has_ended() {
    let mut harness = harness().await;
    let received = start(&mut harness, |_| Behaviour::Hang);
    let job = harness.submit_url("http://example.org/a.mp4").await;
    until("the worker has started", async || names(&harness, job).await == ["ToyStarted"]).await;
    harness.command(job, JobCommand::Cancel { reason: None }).await;
    until("the message is acknowledged", async || waiting(&harness).await == 0).await;
    assert_eq!((names(&harness, job).await, received.load(Ordering::Relaxed)), (vec!["ToyStarted"], 1));
}
