//! However events come, the read models are the same: shuffled between jobs, twice, to two projectors at once, to one
//! that is killed at any moment, through a rebuild.

use std::time::Duration;

use cqrs_es::DomainEvent;
use cqrs_es::persist::SerializedEvent;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;
use ytcaption_domain::delivery::DeliveryEvent;
use ytcaption_domain::job::{
    Audio, Failure, Job, JobCommand, JobEvent, JobOptions, JobStatus, MediaSource, Priority, TranscriptionOptions,
    decide, evolve,
};
use ytcaption_domain::{EventMetadata, JobId, Span};
use ytcaption_eventstore::{Appender, Checkpoints, Clock, Cursor, Feed, IdGenerator, read_stream};

use super::{TestHarness, account, context, segment};
use crate::jobs::rows;
use crate::{JOBS, JobView, PROJECTIONS, ParkedEvents, Projector, Rebuild, UsageDay, generation};

/// Each takes a second or two, with a real database.
const CASES: u32 = 24;

/// What happens next to the events and to the projectors.
#[derive(Debug, Clone)]
enum Action {
    /// This many events are appended.
    Append(usize),
    /// The projectors apply what there is, in pages of this many events.
    Apply(u32),
    /// They are killed after this many microseconds.
    Kill(u64),
    /// Two of each work at once.
    ApplyTwice,
    /// The checkpoint is that of an old backup: from this event on, everything comes again.
    GoBack(usize),
    /// An operator tries parked events again.
    Retry,
    /// An operator rebuilds, and switches.
    Rebuild,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (1..20_usize).prop_map(Action::Append),
        3 => (1..9_u32).prop_map(Action::Apply),
        3 => (200..6_000_u64).prop_map(Action::Kill),
        2 => Just(Action::ApplyTwice),
        2 => (0..60_usize).prop_map(Action::GoBack),
        1 => Just(Action::Retry),
        1 => Just(Action::Rebuild),
    ]
}

/// The life of a job, as choices of [`command`], and how often its webhook failed.
type Life = (Vec<u8>, u8);

fn command(choice: u8, job: &Job) -> JobCommand {
    let worker = || "w".to_owned();
    let failure = || Failure { code: "http_503".into(), message: "busy".into() };
    let chunk = u32::from(choice) % 2;
    let attempt = job.chunks.get(chunk as usize).map_or(0, |chunk| chunk.attempt);
    match choice {
        0..4 => JobCommand::StartDownload { worker: worker() },
        4..6 => JobCommand::ReportDownloadProgress { attempt: job.download_attempt, percent: choice * 10 },
        6 => JobCommand::RecordDownloadFailure {
            attempt: job.download_attempt,
            failure: failure(),
            retry_in_ms: Some(u64::MAX),
        },
        7..10 => JobCommand::RecordAudio {
            attempt: job.download_attempt,
            audio: Audio { key: "a".into(), bytes: 1, sha256: "0".into(), duration_ms: 2000 },
            title: Some("T".into()),
            chunks: vec![Span { start_ms: 0, end_ms: 1000 }, Span { start_ms: 1000, end_ms: 2000 }],
        },
        10..14 => JobCommand::StartChunk { chunk, worker: worker(), model: "demo".into() },
        14 => JobCommand::RecordChunkFailure { chunk, attempt, failure: failure(), retry_in_ms: None },
        15..19 => JobCommand::RecordChunk {
            chunk,
            attempt,
            language: "en".into(),
            segments: vec![segment(u64::from(chunk) * 1000, "word")],
        },
        _ => JobCommand::Cancel { reason: None },
    }
}

/// The events of a job, as its own rules allow them.
fn job_events(choices: &[u8]) -> Vec<JobEvent> {
    let created = JobCommand::Create {
        account: account(),
        source: MediaSource::Url { url: "https://example.org/v".parse().expect("a URL") },
        options: JobOptions::Transcription(TranscriptionOptions::default()),
        priority: Priority::Normal,
        webhook_url: Some("https://example.org/hook".parse().expect("a URL")),
        retry_of: None,
    };
    let (mut job, mut events) = (Job::default(), vec![]);
    let commands = choices.iter().copied().map(Some);
    for choice in std::iter::once(None).chain(commands) {
        let command = choice.map_or_else(|| created.clone(), |choice| command(choice, &job));
        let decided = decide(&job, command).unwrap_or_default();
        for event in &decided {
            evolve(&mut job, event);
        }
        events.extend(decided);
    }
    events
}

fn delivery_events(job_id: JobId, failures: u8) -> Vec<DeliveryEvent> {
    let host = || "example.org".to_owned();
    let mut events: Vec<_> = (1..=u32::from(failures))
        .map(|attempt| DeliveryEvent::WebhookAttemptFailed {
            job_id,
            host: host(),
            attempt,
            reason: "HTTP 500".into(),
            retry_in_ms: Some(1),
        })
        .collect();
    let attempt = u32::from(failures) + 1;
    events.push(DeliveryEvent::WebhookDelivered { job_id, host: host(), attempt, http_status: 200 });
    events
}

fn stored<E: DomainEvent>(aggregate_type: &str, id: Uuid, events: &[E]) -> Vec<SerializedEvent> {
    let mut sequence = 0;
    let stored = events.iter().map(|event| {
        sequence += 1;
        let metadata = EventMetadata {
            data_key: None,
            event_id: IdGenerator::system().new_id(),
            occurred_at: Clock::system().now(),
            route: "normal".into(),
            context: context(),
        };
        SerializedEvent {
            aggregate_id: id.to_string(),
            sequence,
            aggregate_type: aggregate_type.to_owned(),
            event_type: event.event_type(),
            event_version: event.event_version(),
            payload: serde_json::json!(event),
            metadata: metadata.to_json(),
        }
    });
    stored.collect()
}

/// One order of all events in which those of each job keep theirs.
fn shuffled(mut streams: Vec<std::vec::IntoIter<SerializedEvent>>, picks: &[usize]) -> Vec<SerializedEvent> {
    let mut order = vec![];
    let mut picks = picks.iter().cycle();
    while !streams.is_empty() {
        let picked = picks.next().map_or(0, |pick| pick % streams.len());
        match streams[picked].next() {
            Some(event) => order.push(event),
            None => drop(streams.remove(picked)),
        }
    }
    order
}

struct Case<'a> {
    harness: &'a TestHarness,
    appender: &'a Appender,
    start: Cursor,
    events: std::vec::IntoIter<SerializedEvent>,
}

impl Case<'_> {
    async fn append(&mut self, number: usize) {
        for event in self.events.by_ref().take(number) {
            self.appender.append(vec![event].into()).await.expect("a new event");
        }
    }

    async fn act(&mut self, action: Action) {
        let harness = self.harness;
        match action {
            Action::Append(number) => self.append(number).await,
            Action::Apply(page) => {
                for projection in PROJECTIONS {
                    apply(&Projector::new(&harness.database, projection).in_pages_of(page)).await;
                }
            }
            Action::Kill(micros) => {
                // Its connections die with it.
                let process = harness.as_another_process(None);
                process.check().await.expect("the server is there");
                let projectors = PROJECTIONS.map(|projection| Projector::new(&process, projection).in_pages_of(3));
                let all = futures::future::join_all(projectors.iter().map(Projector::catch_up));
                let _ = tokio::time::timeout(Duration::from_micros(micros), all).await;
            }
            Action::ApplyTwice => {
                for projection in PROJECTIONS {
                    let two = [2, 3].map(|page| Projector::new(&harness.database, projection).in_pages_of(page));
                    tokio::join!(apply(&two[0]), apply(&two[1]));
                }
            }
            Action::GoBack(number) => self.go_back(number).await,
            Action::Retry => self.retry().await,
            Action::Rebuild => {
                for projection in PROJECTIONS {
                    let mut rebuild =
                        Rebuild::begin(&harness.database, projection).await.expect("no other rebuild runs");
                    rebuild.switch(true).await.expect("an answer");
                    rebuild.end().await.expect("an answer");
                }
            }
        }
    }

    async fn go_back(&self, number: usize) {
        let pool = self.harness.database.pool();
        let seen = Feed::new(&self.harness.database).after(self.start, 10_000).await.expect("an answer");
        for projection in PROJECTIONS {
            let checkpoint = Checkpoints::new(pool.clone(), projection.name());
            let now = checkpoint.get().await.expect("an answer");
            if let Some(earlier) = seen.get(number).map(|event| event.cursor).filter(|earlier| *earlier < now) {
                checkpoint.advance(pool, now, earlier).await.expect("no other process moves it");
            }
        }
    }

    async fn retry(&self) {
        for projection in PROJECTIONS {
            ParkedEvents::new(&self.harness.database).retry(&projection, 100).await.expect("an answer");
        }
    }

    /// Everything is appended, final and applied.
    async fn finish(&mut self, events: usize) {
        self.append(usize::MAX).await;
        let feed = Feed::new(&self.harness.database);
        while feed.after(self.start, 10_000).await.expect("an answer").len() < events {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.apply_all().await;
        self.retry().await;
        let parked = ParkedEvents::new(&self.harness.database).count(None).await.expect("an answer");
        assert_eq!(parked, 0, "every event can be applied");
    }

    async fn apply_all(&self) {
        for projector in &self.harness.projectors {
            apply(projector).await;
        }
    }
}

async fn apply(projector: &Projector) {
    while projector.catch_up().await.is_err() {}
}

/// What the events of a job and of its delivery say, one after the other.
async fn folded(harness: &TestHarness, id: JobId, delivery: Uuid) -> (JobView, usize) {
    let (mut view, mut chunks) = (None, 0);
    for recorded in read_stream(&harness.database, "job", &id.to_string()).await.expect("an answer") {
        let events: Vec<JobEvent> = recorded.decode().expect("readable");
        chunks += events.iter().filter(|event| matches!(event, JobEvent::ChunkTranscribed { .. })).count();
        JobView::apply(&mut view, &recorded, &events).expect("in order");
    }
    let mut view = view.expect("a job");
    for recorded in read_stream(&harness.database, "delivery", &delivery.to_string()).await.expect("an answer") {
        view.apply_delivery(&recorded.decode().expect("readable"));
    }
    (view, chunks)
}

/// All days of the account in sum, whatever day it is.
async fn usage(harness: &TestHarness) -> [u64; 5] {
    let (from, to) = ("1970-01-01".parse().expect("a date"), "9999-12-31".parse().expect("a date"));
    let days = harness.usage.days(&account(), from, to).await.expect("an answer");
    let sum = |count: fn(&UsageDay) -> u64| days.iter().map(count).sum();
    [
        sum(|day| day.jobs_created),
        sum(|day| day.jobs_completed),
        sum(|day| day.jobs_failed),
        sum(|day| day.jobs_cancelled),
        sum(|day| day.media_ms),
    ]
}

async fn the_read_models_are_the_same(
    harness: &TestHarness,
    appender: &Appender,
    (lives, picks, actions, again): (Vec<Life>, Vec<usize>, Vec<Action>, usize),
) {
    let new_id = || IdGenerator::system().new_id();
    let ids: Vec<(JobId, Uuid)> = lives.iter().map(|_| (JobId(new_id()), new_id())).collect();
    let streams = lives.iter().zip(&ids).map(|((choices, failures), (job, delivery))| {
        // A webhook is called after what it notifies of.
        let notified = stored("delivery", *delivery, &delivery_events(*job, *failures));
        [stored("job", job.0, &job_events(choices)), notified].concat().into_iter()
    });
    let events = shuffled(streams.collect(), &picks);
    let number = events.len();
    let pool = harness.database.pool();
    let start = Checkpoints::new(pool.clone(), JOBS.name()).get().await.expect("an answer");
    let used_before = usage(harness).await;
    let mut case = Case { harness, appender, start, events: events.into_iter() };
    for action in actions {
        case.act(action).await;
    }
    case.finish(number).await;
    // And some of it once more.
    case.go_back(again % number).await;
    case.apply_all().await;

    let live = generation::live(pool, JOBS.name()).await.expect("an answer");
    let mut used = used_before;
    for (id, delivery) in ids {
        let (expected, chunks) = folded(harness, id, delivery).await;
        let row = rows::load_jobs(pool, live, &[id]).await.expect("an answer");
        assert_eq!(rows::find_chunks(pool, id).await.expect("an answer").len(), chunks);
        let is = |status| u64::from(expected.status == status);
        let ended = [JobStatus::Completed, JobStatus::Failed, JobStatus::Cancelled].map(is);
        let media_ms = ended[0] * expected.duration_ms.unwrap_or_default();
        for (used, more) in used.iter_mut().zip([1, ended[0], ended[1], ended[2], media_ms]) {
            *used += more;
        }
        assert_eq!(row, [expected]);
    }
    assert_eq!(usage(harness).await, used);
    for projection in PROJECTIONS {
        assert_eq!(harness.differences(projection).await, []);
    }
}

#[test]
fn duplicates_reorderings_and_crashes_leave_the_same_read_models() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let harness = runtime.block_on(TestHarness::open());
    let appender = runtime.block_on(async { Appender::start(&harness.database) });
    let life = (vec(0..20_u8, 0..80), 0..3_u8);
    let case = (vec(life, 1..6), vec(0..1_000_usize, 1..50), vec(action(), 0..16), 0..1_000_usize);
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    TestRunner::new(config)
        .run(&case, |case| {
            runtime.block_on(the_read_models_are_the_same(&harness, &appender, case));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
