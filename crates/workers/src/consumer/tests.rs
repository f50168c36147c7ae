#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::{self, AckKind};
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;
use ytcaption_domain::JobId;
use ytcaption_domain::step::DOWNLOAD;

use super::*;
use crate::testing::{TestHarness, until};
use crate::{WorkerDeps, topology};

/// A worker of the step `download` that does what the test wants, and remembers its messages.
struct Script {
    seen: Mutex<Vec<(JobId, u64, Instant)>>,
    answer: Answer,
}

/// `None` never ends.
type Answer = Box<dyn Fn(&Message) -> Option<Outcome> + Send + Sync>;

impl Script {
    fn new(answer: impl Fn(&Message) -> Option<Outcome> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { seen: Mutex::default(), answer: Box::new(answer) })
    }

    fn seen(&self) -> Vec<(JobId, u64, Instant)> {
        self.seen.lock().unwrap().clone()
    }
}

impl StepWorker for Script {
    const STEP: Step = DOWNLOAD;

    async fn work(&self, message: Message) -> Outcome {
        self.seen.lock().unwrap().push((message.job_id().unwrap(), message.deliveries, Instant::now()));
        match (self.answer)(&message) {
            Some(outcome) => outcome,
            None => std::future::pending().await,
        }
    }
}

fn start(harness: &mut TestHarness, script: &Arc<Script>, concurrency: usize) -> CancellationToken {
    let script = Arc::clone(script);
    harness.start(move |deps: WorkerDeps, stop| Box::pin(async move { run(script, &deps, concurrency, stop).await }))
}

async fn queue(harness: &TestHarness, consumer: &str) -> Consumer<pull::Config> {
    topology::jetstream(&harness.deps.nats).get_consumer_from_stream(consumer, "YTCAPTION_EVENTS").await.unwrap()
}

async fn waiting(harness: &TestHarness, consumer: &str) -> u64 {
    let info = queue(harness, consumer).await.get_info().await.unwrap();
    info.num_pending + info.num_ack_pending as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_redelivered_after_the_requested_delay_and_never_after_done() {
    let mut harness = TestHarness::new().await;
    harness.start_relay();
    let script = Script::new(|message| {
        Some(if message.deliveries < 3 { Outcome::RetryAfter(Duration::from_millis(700)) } else { Outcome::Done })
    });
    start(&mut harness, &script, 2);
    let job = harness.submit_url("http://example.org/a.mp4").await;
    until("it was delivered three times", async || script.seen().len() == 3).await;
    until("the queue is empty", async || waiting(&harness, "download-normal").await == 0).await;
    let seen = script.seen();
    assert!(seen.iter().all(|(id, ..)| *id == job));
    assert_eq!(seen.iter().map(|(_, deliveries, _)| *deliveries).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(seen[1].2 - seen[0].2 >= Duration::from_millis(690), "the second came too early");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_work_begins_at_once() {
    let mut harness = TestHarness::new().await;
    harness.start_relay();
    let script = Script::new(|_| Some(Outcome::Done));
    start(&mut harness, &script, 1);
    // The first finds everything started.
    harness.submit_url("http://example.org/0.mp4").await;
    until("the first is done", async || script.seen().len() == 1).await;
    let mut waits = Vec::new();
    for number in 1..6 {
        let submitted = Instant::now();
        harness.submit_url(&format!("http://example.org/{number}.mp4")).await;
        until("the next is done", async || script.seen().len() == number + 1).await;
        waits.push(script.seen()[number].2 - submitted);
    }
    waits.sort();
    assert!(waits[2] < Duration::from_millis(700), "from submission to work: {waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_message_is_dropped_and_delays_no_other() {
    let mut harness = TestHarness::new().await;
    let jetstream = topology::jetstream(&harness.deps.nats);
    for garbage in ["not json", "{}", r#"{"specversion":"1.0"}"#] {
        let subject = format!("ytcaption.events.job.JobCreated.normal.{garbage:?}").replace([' ', '"'], "");
        jetstream.publish(subject.replace(['{', '}', ':', '\\'], "x"), garbage.into()).await.unwrap().await.unwrap();
    }
    harness.start_relay();
    let script = Script::new(|_| Some(Outcome::Unreadable("of no known type".into())));
    start(&mut harness, &script, 1);
    harness.submit_url("http://example.org/a.mp4").await;
    until("the good one was reached", async || script.seen().len() == 1).await;
    until("none comes again", async || waiting(&harness, "download-normal").await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_shutdown_unfinished_work_goes_to_another_worker_at_once() {
    let mut harness = TestHarness::new().await;
    harness.start_relay();
    let endless = Script::new(|_| None);
    let first = start(&mut harness, &endless, 1);
    harness.submit_url("http://example.org/a.mp4").await;
    until("the first has it", async || endless.seen().len() == 1).await;
    let other = Script::new(|_| Some(Outcome::Done));
    start(&mut harness, &other, 1);
    let since = Instant::now();
    first.cancel();
    harness.stopped().await;
    until("the other has it", async || other.seen().len() == 1).await;
    assert!(since.elapsed() < Duration::from_secs(5), "ack_wait alone would take 15 s");
    assert_eq!(other.seen()[0].1, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_continues_on_a_stream_that_was_created_again() {
    let mut harness = TestHarness::new().await;
    harness.start_relay();
    let script = Script::new(|_| Some(Outcome::Done));
    start(&mut harness, &script, 1);
    let first = harness.submit_url("http://example.org/1.mp4").await;
    until("the first was seen", async || script.seen().len() == 1).await;
    topology::jetstream(&harness.deps.nats).delete_stream("YTCAPTION_EVENTS").await.unwrap();
    let second = harness.submit_url("http://example.org/2.mp4").await;
    until("both are seen, the first again", async || {
        let jobs: Vec<JobId> = script.seen().iter().map(|(job, ..)| *job).collect();
        jobs.contains(&second) && jobs.iter().filter(|job| **job == first).count() == 2
    })
    .await;
}

/// Publishes a message and fetches it as a worker does.
async fn delivered(harness: &TestHarness, payload: &'static str) -> jetstream::Message {
    let jetstream = topology::jetstream(&harness.deps.nats);
    let subject = "ytcaption.events.job.JobCreated.normal.x";
    jetstream.publish(subject, payload.into()).await.unwrap().await.unwrap();
    let mut batch = queue(harness, "download-normal").await.fetch().max_messages(1).messages().await.unwrap();
    batch.next().await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_never_taken_for_one_about_another_message_of_the_same_sequence() {
    let harness = TestHarness::new().await;
    let jetstream = topology::jetstream(&harness.deps.nats);
    let old = delivered(&harness, "old").await;
    jetstream.delete_stream("YTCAPTION_EVENTS").await.unwrap();
    topology::ensure(&harness.deps.nats, harness.deps.steps).await.unwrap();
    let new = delivered(&harness, "new").await;
    assert_eq!(old.info().unwrap().stream_sequence, new.info().unwrap().stream_sequence);
    for kind in [AckKind::Ack, AckKind::Term, AckKind::Nak(None)] {
        ack::acknowledge(&old, kind).await;
        let queue = queue(&harness, "download-normal").await;
        let still = queue.cached_info();
        assert_eq!((still.num_ack_pending, still.num_redelivered), (1, 0), "another worker has the new one");
    }
    ack::acknowledge(&new, AckKind::Ack).await;
    assert_eq!(waiting(&harness, "download-normal").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_stream_has_dropped_is_acknowledged_all_the_same() {
    let harness = TestHarness::new().await;
    let message = delivered(&harness, "let go").await;
    topology::jetstream(&harness.deps.nats).get_stream("YTCAPTION_EVENTS").await.unwrap().purge().await.unwrap();
    ack::acknowledge(&message, AckKind::Ack).await;
    assert_eq!(waiting(&harness, "download-normal").await, 0);
}
