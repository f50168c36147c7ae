//! Fetches and starts work until the shutdown.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use ytcaption_telemetry::metrics;

use super::listener::StreamListener;
use super::queues::{QueueError, Queues};
use super::{StepWorker, handler};
use crate::WorkerDeps;
use crate::topology::{self, TopologyError};

/// How often the depth of the queues is measured.
const MEASURE_INTERVAL: Duration = Duration::from_secs(5);
/// Delay after an error of NATS.
const ERROR_DELAY: Duration = Duration::from_millis(500);
/// Longest time for releasing unfinished work at the end.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(6);

/// Runs the worker of a step over the step's queues, with at most `concurrency` messages in progress, until `shutdown`;
/// then running work has [`WorkerDeps::grace`] to end, and the rest is released for other workers.
///
/// # Errors
/// NATS answers and cannot be used; the loop waits for a NATS that does not answer.
pub async fn run<W: StepWorker>(
    worker: Arc<W>,
    deps: &WorkerDeps,
    concurrency: usize,
    shutdown: CancellationToken,
) -> Result<(), TopologyError> {
    let mut work = Work {
        worker,
        deps: deps.clone(),
        permits: Arc::new(Semaphore::new(concurrency)),
        running: JoinSet::new(),
        abandon: CancellationToken::new(),
    };
    let outcome = work.fetch_until(&shutdown).await;
    work.drain().await;
    outcome
}

struct Work<W> {
    worker: Arc<W>,
    deps: WorkerDeps,
    permits: Arc<Semaphore>,
    running: JoinSet<()>,
    /// Cancelled when unfinished work has to be released.
    abandon: CancellationToken,
}

impl<W: StepWorker> Work<W> {
    /// Fetches work until `shutdown`, through every outage of NATS.
    async fn fetch_until(&mut self, shutdown: &CancellationToken) -> Result<(), TopologyError> {
        let client = self.deps.nats.clone();
        let (subjects, jetstream) = (topology::subjects_of(&W::STEP), topology::jetstream(&client));
        loop {
            match shutdown.run_until_cancelled(topology::ensure(&client, self.deps.steps)).await {
                None => return Ok(()),
                Some(outcome) => outcome?,
            }
            let outcome = match Queues::open(&jetstream, &W::STEP.queues()).await {
                Ok(mut queues) => {
                    let mut listener = StreamListener::start(&client, &subjects).await;
                    let permits = self.permits.available_permits();
                    tracing::info!(step = W::STEP.name, permits, "ready for work");
                    self.serve(&mut queues, &mut listener, shutdown).await
                }
                Err(error) => Err(error),
            };
            let Err(error) = outcome else { return Ok(()) };
            tracing::warn!(step = W::STEP.name, %error, "opening the queues again");
            sleep(ERROR_DELAY).await;
        }
    }

    /// Fetches work until `shutdown`. A fetch is never cancelled: its messages would be in progress without a worker.
    async fn serve(
        &mut self,
        queues: &mut Queues,
        listener: &mut StreamListener,
        shutdown: &CancellationToken,
    ) -> Result<(), QueueError> {
        let mut measured: Option<Instant> = None;
        while !shutdown.is_cancelled() {
            if measured.is_none_or(|at| at.elapsed() > MEASURE_INTERVAL) {
                for (queue, depth) in queues.depths().await? {
                    metrics::queue_depth(queue, depth);
                }
                measured = Some(Instant::now());
            }
            let free = self.permits.available_permits();
            if free == 0 {
                shutdown.run_until_cancelled(self.one_ended()).await;
                continue;
            }
            let messages = queues.fetch(free).await?;
            let there_may_be_more = messages.len() == free;
            self.start(messages);
            if !there_may_be_more {
                shutdown.run_until_cancelled(listener.wait()).await;
            }
        }
        Ok(())
    }

    fn start(&mut self, messages: Vec<(String, jetstream::Message)>) {
        while self.running.try_join_next().is_some() {}
        for (queue, message) in messages {
            let worker = Arc::clone(&self.worker);
            let abandon = self.abandon.clone();
            let permit = Arc::clone(&self.permits).try_acquire_owned();
            self.running.spawn(async move {
                handler::handle(&*worker, &queue, message, abandon).await;
                drop(permit);
            });
        }
    }

    /// Waits until the work on a message ends, or the next measurement is due.
    async fn one_ended(&mut self) {
        let _ = timeout(MEASURE_INTERVAL, self.running.join_next()).await;
    }

    async fn drain(mut self) {
        if self.running.is_empty() {
            return;
        }
        tracing::info!(step = W::STEP.name, running = self.running.len(), "waiting for running work to end");
        let ended = async |running: &mut JoinSet<()>| while running.join_next().await.is_some() {};
        if timeout(self.deps.grace, ended(&mut self.running)).await.is_err() {
            self.abandon.cancel();
            if timeout(RELEASE_TIMEOUT, ended(&mut self.running)).await.is_err() {
                tracing::warn!(step = W::STEP.name, "NATS does not answer; it delivers the work again by itself");
            }
        }
    }
}
