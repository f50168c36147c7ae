//! Fetches and starts work until told to stop.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use ytcaption_telemetry::metrics;

use super::listener::StreamListener;
use super::queues::{QueueError, Queues};
use super::{Queue, StepWorker, handler};
use crate::topology::{self, TopologyError};

/// How often the depth of the queues is measured.
const MEASURE: Duration = Duration::from_secs(5);
/// Pause after a fault of NATS.
const FAULT_PAUSE: Duration = Duration::from_millis(500);
/// How long handing back unfinished work may take at the end.
const HAND_BACK: Duration = Duration::from_secs(6);

/// Runs a stage over its queues, at most `concurrency` messages at a time, until `shutdown`; then running work has
/// `grace` to end, and what has not is handed back.
///
/// # Errors
/// NATS answers and cannot be used; a NATS that does not answer is waited for.
pub async fn run<S: StepWorker>(
    worker: Arc<S>,
    queues: &[Queue],
    concurrency: usize,
    client: &Client,
    grace: Duration,
    shutdown: CancellationToken,
) -> Result<(), TopologyError> {
    let mut work = Work {
        worker,
        permits: Arc::new(Semaphore::new(concurrency)),
        running: JoinSet::new(),
        abandon: CancellationToken::new(),
    };
    let outcome = work.take_until(queues, client, &shutdown).await;
    work.drain(grace).await;
    outcome
}

struct Work<S> {
    worker: Arc<S>,
    permits: Arc<Semaphore>,
    running: JoinSet<()>,
    /// Cancelled when unfinished work has to be handed back.
    abandon: CancellationToken,
}

impl<S: StepWorker> Work<S> {
    /// Takes work until `shutdown`, through every outage of NATS.
    async fn take_until(
        &mut self,
        queues: &[Queue],
        client: &Client,
        shutdown: &CancellationToken,
    ) -> Result<(), TopologyError> {
        let subjects = subjects_of(queues);
        let jetstream = topology::jetstream(client);
        loop {
            match shutdown.run_until_cancelled(topology::ensure(client)).await {
                None => return Ok(()),
                Some(outcome) => outcome?,
            }
            let outcome = match Queues::open(&jetstream, queues).await {
                Ok(mut open) => {
                    let mut doorbell = StreamListener::listen(client, &subjects).await;
                    tracing::info!(step = S::NAME, permits = self.permits.available_permits(), "ready for work");
                    self.serve(&mut open, &mut doorbell, shutdown).await
                }
                Err(error) => Err(error),
            };
            let Err(error) = outcome else { return Ok(()) };
            tracing::warn!(step = S::NAME, %error, "looking for the queues again");
            sleep(FAULT_PAUSE).await;
        }
    }

    /// Takes work until `shutdown`. A fetch is never broken off: what it brought would be lost for a while.
    async fn serve(
        &mut self,
        queues: &mut Queues,
        doorbell: &mut StreamListener,
        shutdown: &CancellationToken,
    ) -> Result<(), QueueError> {
        let mut measured: Option<Instant> = None;
        while !shutdown.is_cancelled() {
            if measured.is_none_or(|at| at.elapsed() > MEASURE) {
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
                shutdown.run_until_cancelled(doorbell.rings()).await;
            }
        }
        Ok(())
    }

    fn start(&mut self, messages: Vec<(Queue, async_nats::jetstream::Message)>) {
        while self.running.try_join_next().is_some() {}
        for (queue, message) in messages {
            let worker = Arc::clone(&self.worker);
            let abandon = self.abandon.clone();
            let permit = Arc::clone(&self.permits).try_acquire_owned();
            self.running.spawn(async move {
                handler::handle(&*worker, queue, message, abandon).await;
                drop(permit);
            });
        }
    }

    /// Waits until some work ends, for as long as a measurement may be late.
    async fn one_ended(&mut self) {
        // With a time-out, so that the depth of the queues is measured while long work goes on.
        let _ = timeout(MEASURE, self.running.join_next()).await;
    }

    async fn drain(mut self, grace: Duration) {
        if self.running.is_empty() {
            return;
        }
        tracing::info!(step = S::NAME, running = self.running.len(), "waiting for running work to end");
        let ended = async |running: &mut JoinSet<()>| while running.join_next().await.is_some() {};
        if timeout(grace, ended(&mut self.running)).await.is_err() {
            self.abandon.cancel();
            if timeout(HAND_BACK, ended(&mut self.running)).await.is_err() {
                tracing::warn!(step = S::NAME, "NATS does not take work back; it delivers it again by itself");
            }
        }
    }
}

fn subjects_of(queues: &[Queue]) -> Vec<String> {
    topology::consumer_configs()
        .into_iter()
        .filter(|config| queues.iter().any(|queue| Some(queue.consumer) == config.durable_name.as_deref()))
        .flat_map(|config| config.filter_subjects)
        .collect()
}
