//! Read models are rebuilt, and compared with the live ones, while the system runs: queries see neither an error nor an
//! older state, and nothing is published. An event that cannot be applied is listed, and applied once it has been repaired.

use std::collections::HashMap;
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use ytcaption_domain::captions::Segment;
use ytcaption_domain::job::{Audio, Job, JobCommand, JobOptions, MediaSource, Priority, TranscriptionOptions};
use ytcaption_domain::{AccountId, Actor, CommandContext, JobId, Span};
use ytcaption_eventstore::{Appender, Clock, CommandBus, Database, EventListener, IdGenerator};
use ytcaption_projections::{self as projections, JobFilter, JobQueries, Rebuild, project_all};
use ytcaption_testing::NatsServer;
use ytcaption_workers::nats;

use crate::client::{Client, JOB_TIMEOUT, JOBS};
use crate::cluster::{Cluster, Role, new_database};
use crate::media_site;
use crate::system::program;
use crate::webhook_receiver::WebhookReceiver;

const STREAM: &str = "YTCAPTION_EVENTS";
const POLL: Duration = Duration::from_millis(20);
/// Number of concurrent writers.
const WRITERS: usize = 6;
/// Number of events before the first rebuild.
const EVENTS: i64 = 4_000;
/// Delay of a writer between two commands after that.
const WRITE_DELAY: Duration = Duration::from_millis(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_see_neither_an_error_nor_an_older_state_while_read_models_are_rebuilt() {
    let url = new_database().await;
    let nats = tokio::task::spawn_blocking(NatsServer::start).await.unwrap();
    let cluster = Cluster::on(&url, &nats.url());
    for role in [Role::Serve, Role::Project] {
        cluster.launch(role);
    }
    cluster.ready().await;
    let database = Database::open(&url.clone().into(), 10).unwrap().with_master_keys(
        ytcaption_eventstore::encryption::MasterKeys::parse(ytcaption_testing::MASTER_KEY, []).unwrap(),
    );
    // A second projector, as on a second machine.
    let mut running = JoinSet::new();
    let (projected, listener) = (database.clone(), EventListener::start(&database));
    running.spawn(async move { project_all(&projected, listener).await });

    let (slow_down, stop) = (CancellationToken::new(), CancellationToken::new());
    let jobs =
        Arc::new(CommandBus::<Job>::new(&database, Appender::start(&database), Clock::system(), IdGenerator::system()));
    let first = create(&jobs).await;
    complete(&jobs, first, Duration::ZERO).await;
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(write(Arc::clone(&jobs), slow_down.clone(), stop.clone()));
    }
    until(&database, "SELECT count(*) FROM events", EVENTS).await;
    slow_down.cancel();
    // Until the first job is in the read model.
    until(&database, "SELECT count(*) FROM jobs WHERE status = 'completed'", 1).await;
    let mut readers = JoinSet::new();
    readers.spawn(read_all_jobs(JobQueries::new(&database), stop.clone()));
    readers.spawn(read_by_http(cluster.client(), first, stop.clone()));

    for generation in 2..=4 {
        let lines = rebuild(&url).await;
        let (progress, result) = (&lines[0], lines.last().unwrap());
        assert_eq!((&progress["step"], &result["step"]), (&json!("building"), &json!("switched")), "{lines:?}");
        assert_eq!((&result["generation"], &result["parked"]), (&json!(generation), &json!(0)));
        assert!(result["events"].as_i64().unwrap() >= EVENTS, "{result}");
    }
    a_rebuild_is_killed(&url).await;
    rebuild(&url).await;
    a_concurrent_rebuild_is_rejected(&url, &database).await;
    let verified = run_cli(&url, &["replay", "verify", "--json"]).await;
    let result: Value = serde_json::from_str(text(&verified.stdout).lines().last().unwrap()).unwrap();
    assert_eq!((verified.status.code(), &result["differences"]), (Some(0), &json!(0)), "{result}");

    stop.cancel();
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    while let Some(reads) = readers.join_next().await {
        assert!(reads.unwrap() > 10, "a reader made hardly any requests during the rebuilds");
    }
    running.shutdown().await;
    let unseen = "SELECT count(*) FROM jobs WHERE generation <> live_generation('jobs')";
    assert_eq!(count(&database, unseen).await, 0);
}

/// Creates jobs and completes them, one after the other.
async fn write(jobs: Arc<CommandBus<Job>>, slow_down: CancellationToken, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let id = create(&jobs).await;
        complete(&jobs, id, if slow_down.is_cancelled() { WRITE_DELAY } else { Duration::ZERO }).await;
    }
}

async fn create(jobs: &CommandBus<Job>) -> JobId {
    let id = IdGenerator::system().new_id();
    let command = JobCommand::Create {
        account: AccountId::local(),
        source: MediaSource::Url { url: "https://example.org/v".parse().unwrap() },
        options: JobOptions::Transcription(TranscriptionOptions::default()),
        priority: Priority::Normal,
        webhook_url: None,
        retry_of: None,
    };
    jobs.create(id, command, &context()).await.unwrap();
    JobId(id)
}

async fn complete(jobs: &CommandBus<Job>, id: JobId, delay: Duration) {
    let worker = || "w".to_owned();
    let audio = Audio { key: "a".into(), bytes: 1, sha256: "0".repeat(64), duration_ms: 2_000 };
    let chunks = vec![Span { start_ms: 0, end_ms: 1_000 }, Span { start_ms: 1_000, end_ms: 2_000 }];
    let mut commands = vec![JobCommand::StartDownload { worker: worker() }];
    commands.extend((1..8).map(|tens| JobCommand::ReportDownloadProgress { attempt: 1, percent: tens * 10 }));
    commands.push(JobCommand::RecordAudio { attempt: 1, audio, title: Some("A talk".into()), chunks });
    let start = |chunk| JobCommand::StartChunk { chunk, worker: worker(), model: "demo".into() };
    commands.extend([0, 1].map(start));
    commands.extend([1, 0].map(|chunk| JobCommand::RecordChunk {
        chunk,
        attempt: 1,
        language: "en".into(),
        segments: vec![segment(u64::from(chunk) * 1_000)],
    }));
    for command in commands {
        jobs.execute(id.0, command, &context()).await.unwrap();
        tokio::time::sleep(delay).await;
    }
}

fn segment(start_ms: u64) -> Segment {
    Segment {
        start_ms,
        end_ms: start_ms + 900,
        text: format!("said at {start_ms}"),
        avg_logprob: -0.25,
        no_speech_prob: 0.01,
        compression_ratio: 1.1,
        temperature: 0.2,
        words: vec![],
    }
}

fn context() -> CommandContext {
    CommandContext {
        account: AccountId::local(),
        actor: Actor::Worker("test".to_owned()),
        correlation_id: IdGenerator::system().new_id(),
        causation_id: None,
        traceparent: None,
    }
}

/// Lists all jobs repeatedly: no job may disappear or have a lower version than before. Returns the number of reads.
async fn read_all_jobs(queries: JobQueries, stop: CancellationToken) -> usize {
    let mut seen: HashMap<JobId, u64> = HashMap::new();
    let mut reads = 0;
    while !stop.is_cancelled() {
        let page = queries.page(&AccountId::local(), JobFilter::default(), None, 1_000_000).await.unwrap();
        let now: HashMap<JobId, u64> = page.jobs.iter().map(|job| (job.job_id, job.version)).collect();
        assert_eq!(now.len(), page.jobs.len(), "a job is listed twice");
        for (job, version) in &seen {
            let now = now.get(job).unwrap_or_else(|| panic!("{job} has disappeared after {reads} reads"));
            assert!(now >= version, "{job} went back from {version} to {now} after {reads} reads");
        }
        seen = now;
        reads += 1;
    }
    reads
}

/// Reads the first page and the captions of one job repeatedly. Returns the number of reads.
async fn read_by_http(client: Client, job: JobId, stop: CancellationToken) -> usize {
    let (mut newest, mut reads) = (String::new(), 0);
    let captions = client.result(&job.to_string(), "srt").await;
    assert!(captions.contains("said at 0") && captions.contains("said at 1000"), "{captions}");
    while !stop.is_cancelled() {
        let response = client.get(&format!("{JOBS}?limit=100")).await;
        assert_eq!(response.status(), StatusCode::OK);
        let page: Value = response.json().await.unwrap();
        // Ids are ordered by time.
        let first = page["transcriptions"][0]["created_at"].as_str().unwrap().to_owned();
        assert!(first >= newest, "the newest job was created at {newest}, and now at {first}");
        newest = first;
        assert_eq!(client.result(&job.to_string(), "srt").await, captions);
        reads += 1;
    }
    reads
}

async fn a_rebuild_is_killed(url: &str) {
    let mut command = tokio::process::Command::from(cli(url, &["replay", "projection", "jobs", "--json"]));
    let mut killed = command.stdout(std::process::Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(killed.stdout.take().unwrap()).lines();
    let progress: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!(progress["step"], "building");
    killed.kill().await.unwrap();
}

async fn a_concurrent_rebuild_is_rejected(url: &str, database: &Database) {
    let running = Rebuild::begin(database, projections::JOBS).await.unwrap();
    for command in [&["replay", "projection", "jobs"][..], &["replay", "verify"]] {
        let refused = run_cli(url, command).await;
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused.stderr).contains("another rebuild or verification is running"), "{refused:?}");
    }
    running.end().await.unwrap();
}

#[tokio::test]
async fn a_replay_publishes_nothing_and_a_parked_event_is_applied_once_it_is_repaired() {
    let url = new_database().await;
    let nats = tokio::task::spawn_blocking(NatsServer::start).await.unwrap();
    let cluster = Cluster::on(&url, &nats.url());
    for role in [Role::Serve, Role::Relay, Role::Project, Role::Download, Role::Transcribe, Role::Notify] {
        cluster.launch(role);
    }
    cluster.ready().await;
    let (client, receiver) = (cluster.client(), WebhookReceiver::start().await);
    let job = client.submit(&json!({ "url": media_site::url("/page"), "webhook_url": receiver.url("hook") })).await;
    client.completed(&job).await;
    client.wait_until(&job, |job| job["webhook"]["status"] == "delivered").await;
    let database = Database::open(&url.clone().into(), 3).unwrap().with_master_keys(
        ytcaption_eventstore::encryption::MasterKeys::parse(ytcaption_testing::MASTER_KEY, []).unwrap(),
    );
    corrupt_event_is_parked_and_applied_once_it_is_repaired(&url, &database, &job).await;

    // Wait until all events are published; from here on none is recorded.
    let behind = "SELECT count(*) FROM events e, checkpoints c
                   WHERE c.name = 'relay' AND (e.transaction_id, e.position) <= (c.transaction_id, c.position)";
    let events = count(&database, "SELECT count(*) FROM events").await;
    until(&database, behind, events).await;
    let jetstream = jetstream::new(nats::connect(&nats.url()).await.unwrap());
    let published = async || jetstream.get_stream(STREAM).await.unwrap().get_info().await.unwrap().state.last_sequence;
    let before = published().await;

    let shown = client.job(&job).await.unwrap();
    let tampered = r#"UPDATE jobs SET view = view || '{"title": "Forged"}'"#;
    sqlx::query(tampered).execute(database.pool()).await.unwrap();
    let found = run_cli(&url, &["replay", "verify"]).await;
    assert_eq!(found.status.code(), Some(1));
    let expected = format!("jobs {job} title: is \"Forged\", the events say ");
    assert!(text(&found.stdout).starts_with(&expected), "{found:?}");
    assert!(text(&found.stderr).contains("1 differences"), "{found:?}");
    let lines = run_cli(&url, &["replay", "verify", "--json"]).await.stdout;
    let lines: Vec<Value> = text(&lines).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let difference = lines.iter().find(|line| line["step"] == "difference").unwrap();
    assert_eq!((&difference["column"], &difference["live"]), (&json!("title"), &json!("Forged")));
    rebuild(&url).await;
    let proven = run_cli(&url, &["replay", "verify"]).await;
    assert!(proven.status.success() && text(&proven.stdout).contains("rows are what"), "{proven:?}");
    assert_eq!(client.job(&job).await.unwrap(), shown);

    let unknown = run_cli(&url, &["replay", "projection", "nothing"]).await;
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("the projections are jobs, usage"), "{unknown:?}");

    assert_eq!(published().await, before, "a replay publishes nothing");
    assert_eq!(count(&database, "SELECT count(*) FROM events").await, events, "nor does it record an event");
    assert_eq!(receiver.requests("hook").len(), 1, "nor does it send a webhook");
}

/// An event whose payload is corrupt, with another event behind it.
async fn corrupt_event_is_parked_and_applied_once_it_is_repaired(url: &str, database: &Database, job: &str) {
    let append = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
                  SELECT aggregate_type, aggregate_id, sequence + 1, 'DownloadProgressed', '1', $2::text::jsonb, metadata
                    FROM events WHERE aggregate_id = $1 ORDER BY sequence DESC LIMIT 1";
    for payload in
        [r#"{"type": "DownloadProgressed"}"#, r#"{"type": "DownloadProgressed", "attempt": 1, "percent": 100}"#]
    {
        sqlx::query(append).bind(job).bind(payload).execute(database.pool()).await.unwrap();
    }
    until(database, "SELECT count(*) FROM parked_events", 4).await;
    let listed = run_cli(url, &["replay", "parked", "--json"]).await.stdout;
    let listed: Vec<Value> = text(&listed).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(listed.iter().map(|event| &event["blocked"]).collect::<Vec<_>>(), [false, false, true, true]);
    assert_eq!(listed[0]["aggregate_id"], job);
    let said = run_cli(url, &["replay", "parked"]).await;
    assert!(text(&said.stdout).contains("restore it from a backup"), "{said:?}");
    let failed = run_cli(url, &["replay", "retry"]).await;
    assert_eq!(failed.status.code(), Some(1));
    assert!(text(&failed.stderr).contains("4 events stay parked"), "{failed:?}");

    // The owner of the database restores the row from a backup.
    for restore in [
        "ALTER TABLE events DISABLE TRIGGER USER",
        r#"UPDATE events SET payload = '{"type": "DownloadProgressed", "attempt": 1, "percent": 100}'
            WHERE event_type = 'DownloadProgressed'"#,
        "ALTER TABLE events ENABLE TRIGGER USER",
    ] {
        sqlx::query(restore).execute(database.pool()).await.unwrap();
    }
    let retried = run_cli(url, &["replay", "retry", "--json"]).await;
    let retried: Value = serde_json::from_str(text(&retried.stdout)).unwrap();
    // The projector may already have applied it: it retries once a minute.
    assert_eq!(retried["parked"], 0);
    let none = run_cli(url, &["replay", "parked"]).await;
    assert_eq!(text(&none.stdout), "Every event is applied.\n");
}

fn cli(url: &str, arguments: &[&str]) -> std::process::Command {
    let mut command = program();
    command.args(arguments).env("DATABASE_URL", url);
    command
}

async fn run_cli(url: &str, arguments: &[&str]) -> Output {
    tokio::process::Command::from(cli(url, arguments)).output().await.unwrap()
}

/// Rebuilds, once no other rebuild runs; returns the printed lines. Postgres notices a killed client only after a moment.
async fn rebuild(url: &str) -> Vec<Value> {
    let deadline = Instant::now() + JOB_TIMEOUT;
    loop {
        let output = run_cli(url, &["replay", "projection", "jobs", "--json"]).await;
        if output.status.success() {
            return text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        }
        let refused = text(&output.stderr).contains("another rebuild");
        assert!(refused && Instant::now() < deadline, "{output:?}");
        tokio::time::sleep(POLL).await;
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

async fn count(database: &Database, sql: &str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(database.pool()).await.unwrap()
}

/// Waits until the count is at least `least`.
async fn until(database: &Database, sql: &str, least: i64) {
    let deadline = Instant::now() + JOB_TIMEOUT;
    while count(database, sql).await < least {
        assert!(Instant::now() < deadline, "timed out waiting for {least}: {sql}");
        tokio::time::sleep(POLL).await;
    }
}
