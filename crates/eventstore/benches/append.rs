//! How fast commands become durable: callers create jobs through domain and store, each waiting for his answer.
//!
//! `benches/append_vs_pgbench.py` runs this in turn with pgbench; alone:
//! `DATABASE_URL=… cargo bench -p ytcaption-eventstore --bench append -- create 64 10` (callers, seconds), or
//! `-- load` for the time it takes to load jobs of 10, 100 and 1,000 events.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ytcaption_domain::Span;
use ytcaption_domain::job::{Audio, Job, JobCommand};
use ytcaption_eventstore::{Appender, Clock, CommandBus, Database, IdGenerator};

// The allocator that the program has; linking it is enough.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use tikv_jemalloc_sys as _;

#[path = "../../../benches/command.rs"]
mod command;

use command::{context, create};

/// Loads measured for each size; the median is printed.
const LOADS: usize = 101;

/// Creates jobs one after the other until the time is up; returns how long each took.
async fn caller(bus: Arc<CommandBus<Job>>, until: Instant) -> Vec<Duration> {
    let (context, command) = (context(), create());
    let mut took = vec![];
    while Instant::now() < until {
        let begun = Instant::now();
        bus.create(IdGenerator::system().new_id(), command.clone(), &context).await.expect("the store answers");
        took.push(begun.elapsed());
    }
    took
}

async fn measure_create(bus: Arc<CommandBus<Job>>, callers: usize, time: Duration) {
    let begun = Instant::now();
    let running: Vec<_> = (0..callers).map(|_| tokio::spawn(caller(Arc::clone(&bus), begun + time))).collect();
    let mut took = vec![];
    for caller in running {
        took.extend(caller.await.expect("a caller ends well"));
    }
    let seconds = begun.elapsed().as_secs_f64();
    took.sort_unstable();
    let percentile = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 commands")]
    let rate = took.len() as f64 / seconds;
    println!("callers {callers} commands_per_s {rate:.0} p50_ms {:.2} p99_ms {:.2}", percentile(50), percentile(99));
}

async fn measure_load(bus: &CommandBus<Job>, events: u64) {
    let id = IdGenerator::system().new_id();
    bus.create(id, create(), &context()).await.expect("a new job");
    bus.execute(id, JobCommand::StartDownload { worker: "w".into() }, &context()).await.expect("it starts");
    let audio = Audio { key: "audio/1".into(), bytes: 1, sha256: "0".into(), duration_ms: events };
    // Created, started, downloaded, planned; then each chunk is scheduled and started.
    let spans: Vec<_> = (0..(events - 4) / 2).map(|n| Span { start_ms: n, end_ms: n + 1 }).collect();
    let chunks = u32::try_from(spans.len()).expect("a small plan");
    let record = JobCommand::RecordAudio { attempt: 1, audio, title: None, chunks: spans };
    bus.execute(id, record, &context()).await.expect("a sound plan");
    for chunk in 0..chunks {
        let start = JobCommand::StartChunk { chunk, worker: "w".into(), model: "m".into() };
        bus.execute(id, start, &context()).await.expect("it was scheduled");
    }
    let mut took = vec![];
    for _ in 0..LOADS {
        let begun = Instant::now();
        let (_, version) = bus.load(id).await.expect("it loads");
        assert_eq!(version, events);
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    println!("load_events {events} p50_ms {:.2}", took[LOADS / 2].as_secs_f64() * 1e3);
}

#[tokio::main]
async fn main() {
    // cargo adds `--bench`; what is ours follows.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL names the database to fill");
    let database = Database::open(&url.into(), 8).expect("a valid URL").with_master_keys(
        ytcaption_eventstore::encryption::MasterKeys::parse(ytcaption_testing::MASTER_KEY, []).expect("a key"),
    );
    database.prepare().await.expect("the schema can be made");
    let appender = Appender::start(&database);
    let bus = Arc::new(CommandBus::new(&database, appender, Clock::system(), IdGenerator::system()));
    let number = |place: usize| words.get(place).and_then(|word| word.parse::<u32>().ok());
    match (words.first().map(String::as_str), number(1), number(2)) {
        (Some("create"), Some(callers), Some(seconds)) => {
            measure_create(bus, callers as usize, Duration::from_secs(seconds.into())).await;
        }
        (Some("load"), _, _) => {
            for events in [10, 100, 1000] {
                measure_load(&bus, events).await;
            }
        }
        _ => println!("usage: append create CALLERS SECONDS | append load"),
    }
}
