//! How fast events reach the stream, and how soon after its commit a consumer has one.
//!
//! `benches/relay.py` starts the servers, flushing to disk, and runs this; alone:
//! `DATABASE_URL=… NATS_URL=… cargo bench --profile dev -p ytcaption-workers --bench relay -- throughput 5000` (events)
//! or `-- latency 50 20` (events a second, seconds). The database and the stream must be fresh.
//!
//! `--profile dev`, because in any other CTranslate2 would be compiled anew; what is measured is mostly flushes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::Client;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, stream};
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use ytcaption_domain::job::Job;
use ytcaption_domain::step::STEPS;
use ytcaption_eventstore::{Appender, Clock, CommandBus, Cursor, Database, EventListener, Feed, IdGenerator};
use ytcaption_workers::relay::{self, RelayDeps};
use ytcaption_workers::{nats, topology};

#[path = "../../../benches/command.rs"]
mod command;

use command::{context, create};

/// Callers that fill the store.
const CALLERS: usize = 64;
/// Time between two queries of the stream.
const LOOK: Duration = Duration::from_millis(5);
/// Measurements of each part of the way.
const PARTS: usize = 200;
/// The consumer is this far behind at most when the time is up.
const LAST: Duration = Duration::from_secs(5);

/// A store, a stream, and what goes between them.
struct TestHarness {
    database: Database,
    nats: Client,
    bus: Arc<CommandBus<Job>>,
}

impl TestHarness {
    async fn open() -> Self {
        let url = std::env::var("DATABASE_URL").expect("DATABASE_URL names the database to fill");
        let database = Database::open(&url.into(), 8).expect("a valid URL").with_master_keys(
            ytcaption_eventstore::encryption::MasterKeys::parse(ytcaption_testing::MASTER_KEY, []).expect("a key"),
        );
        database.prepare().await.expect("the schema can be made");
        let url = std::env::var("NATS_URL").expect("NATS_URL names the server to use");
        let nats = nats::connect(&url).await.expect("a valid URL");
        topology::ensure(&nats, &STEPS).await.expect("the stream can be made");
        let appender = Appender::start(&database);
        let bus = Arc::new(CommandBus::new(&database, appender, Clock::system(), IdGenerator::system()));
        Self { database, nats, bus }
    }

    fn start_relay(&self, stop: CancellationToken) {
        let listener = EventListener::start(&self.database);
        let deps = RelayDeps { database: self.database.clone(), nats: self.nats.clone(), listener, steps: &STEPS };
        tokio::spawn(async move { relay::run(deps, stop).await.expect("NATS can be used") });
    }

    async fn create_job(&self) -> Uuid {
        let id = IdGenerator::system().new_id();
        self.bus.create(id, create(), &context()).await.expect("the store answers");
        id
    }

    async fn stream(&self) -> stream::Stream {
        let name = topology::stream_config().name;
        jetstream::new(self.nats.clone()).get_stream(name).await.expect("the stream is there")
    }
}

/// Fills the store, then lets the relay carry everything to the stream.
async fn throughput(harness: Arc<TestHarness>, events: u64) {
    let share = events / CALLERS as u64;
    let callers = (0..CALLERS).map(|_| {
        let harness = Arc::clone(&harness);
        tokio::spawn(async move {
            for _ in 0..share {
                harness.create_job().await;
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("a caller ends well");
    }
    let events = share * CALLERS as u64;
    harness.start_relay(CancellationToken::new());
    let mut stream = harness.stream().await;
    let (mut first, mut last) = (None, 0);
    while last < events {
        tokio::time::sleep(LOOK).await;
        last = stream.info().await.expect("the stream answers").state.last_sequence;
        if last > 0 && first.is_none() {
            first = Some((Instant::now(), last));
        }
    }
    let (since, already) = first.expect("the loop saw a first one");
    let seconds = since.elapsed().as_secs_f64();
    let count = u32::try_from(events - already).map_or(f64::NAN, f64::from);
    println!("events_per_s {:.0}", count / seconds);
}

/// Creates jobs at a steady rate and notes how long after its commit a consumer has each.
async fn latency(harness: Arc<TestHarness>, rate: u32, seconds: u32) {
    let stop = CancellationToken::new();
    harness.start_relay(stop.clone());
    let config = pull::Config { ack_policy: AckPolicy::None, ..pull::Config::default() };
    let consumer = harness.stream().await.create_consumer(config).await.expect("a consumer");
    let received: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let receiving = Arc::clone(&received);
    let mut messages = consumer.messages().await.expect("messages");
    tokio::spawn(async move {
        while let Some(Ok(message)) = messages.next().await {
            let id = message.subject.rsplit('.').next().unwrap_or_default().to_owned();
            receiving.lock().expect("no panic while it is locked").insert(id, Instant::now());
        }
    });
    // One to find everything awake.
    harness.create_job().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
    let mut creating = Vec::new();
    for _ in 0..rate * seconds {
        ticks.tick().await;
        let harness = Arc::clone(&harness);
        creating.push(tokio::spawn(async move { (harness.create_job().await, Instant::now()) }));
    }
    let mut took = Vec::new();
    tokio::time::sleep(LAST).await;
    for created in creating {
        let (id, committed) = created.await.expect("a caller ends well");
        let received = received.lock().expect("no panic while it is locked");
        let at = received.get(&id.to_string()).expect("every event is received");
        took.push(at.saturating_duration_since(committed));
    }
    stop.cancel();
    print_times("commit_to_consumer", took);
    parts(&harness).await;
}

/// What a part of the way takes by itself: the commit of an event, reading it from the feed, and storing a message in the
/// stream. The rest of the way is the notification of the relay and the delivery to the consumer.
async fn parts(harness: &TestHarness) {
    let (mut commits, mut reads, mut acks) = (Vec::new(), Vec::new(), Vec::new());
    let feed = Feed::new(&harness.database);
    let mut cursor = Cursor::default();
    while let Some(last) = feed.after(cursor, 256).await.expect("the store answers").last() {
        cursor = last.cursor;
    }
    let jetstream = jetstream::new(harness.nats.clone());
    for _ in 0..PARTS {
        let begun = Instant::now();
        harness.create_job().await;
        commits.push(begun.elapsed());
        let begun = Instant::now();
        let page = feed.after(cursor, 256).await.expect("the store answers");
        reads.push(begun.elapsed());
        let Some(event) = page.last() else { continue };
        cursor = event.cursor;
        let payload = event.payload.to_string();
        let begun = Instant::now();
        let sent = jetstream.publish("ytcaption.events.job.Bench.normal.bench", payload.into()).await;
        sent.expect("the server takes it").await.expect("the stream stores it");
        acks.push(begun.elapsed());
    }
    print_times("part_commit", commits);
    print_times("part_feed_read", reads);
    print_times("part_stream_ack", acks);
}

fn print_times(name: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let percentile = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("{name} events {} p50_ms {:.2} p99_ms {:.2}", took.len(), percentile(50), percentile(99));
}

#[tokio::main]
async fn main() {
    // cargo adds `--bench`; what is ours follows.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = |place: usize| words.get(place).and_then(|word| word.parse::<u32>().ok());
    match (words.first().map(String::as_str), number(1), number(2)) {
        (Some("throughput"), Some(events), _) => throughput(Arc::new(TestHarness::open().await), events.into()).await,
        (Some("latency"), Some(rate), Some(seconds)) => {
            latency(Arc::new(TestHarness::open().await), rate, seconds).await;
        }
        _ => println!("usage: relay throughput EVENTS | relay latency EVENTS_PER_SECOND SECONDS"),
    }
}
