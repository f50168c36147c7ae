//! The interface as clients meet it: requests go through the whole router, the real command bus, a real Postgres and
//! the real projector.

mod audit;
mod behind_proxy;
mod cancel;
mod idempotency;
mod list;
mod models;
mod openapi;
mod operations;
mod outage;
mod problems;
mod result;
mod retry;
mod serve;
mod show;
mod stream;
mod submit;
mod traces;
mod upload;
mod usage;
mod versions;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::connect_info::MockConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt as _;
use ytcaption_application::{Commands, Queries, Subscriptions};
use ytcaption_blobstore::{BlobStore, LocalDirectory};
use ytcaption_domain::Span;
use ytcaption_domain::captions::Segment;
use ytcaption_domain::job::{Audio, Failure, Job, JobCommand, JobEvent};
use ytcaption_domain::network::AddressPolicy;
use ytcaption_domain::{AccountId, Actor, CommandContext, JobId};
use ytcaption_eventstore::{
    Appender, Clock, CommandBus, Database, EventListener, IdGenerator, RecordedEvent, read_stream,
};
use ytcaption_projections::{JOBS, JobFilter, JobQueries, Projector};
use ytcaption_testing::{Postgres, aggregate_count};

use crate::{ApiSettings, ApiState, ConnectionLimits, ModelLister, StreamPermits, TrustedProxies};

const COLLECTION: &str = "/api/v1/transcriptions";
/// Largest upload in tests, in bytes.
const MAX_UPLOAD_BYTES: u64 = 100_000;
/// Largest JSON body in tests, in bytes.
const MAX_BODY_BYTES: u64 = 4_096;
/// Most streams in tests.
const MAX_STREAMS: usize = 3;
/// How long something that happens beside the request may take.
const EVENTUALLY_TIMEOUT: Duration = Duration::from_secs(20);

/// Gives every test traces, and before the first span of any: a place in the code that is met by a thread without
/// traces would be taken for one that never has any.
fn record_traces() {
    static RECORDED: Once = Once::new();
    RECORDED.call_once(|| {
        let traces = tracing_opentelemetry::layer().with_tracer(SdkTracerProvider::builder().build().tracer("test"));
        tracing::subscriber::set_global_default(Registry::default().with(traces)).expect("nobody else records traces");
    });
}

/// Limits that no test of something else meets.
fn connection_limits() -> ConnectionLimits {
    let settings = ApiSettings { header_timeout: Duration::from_mins(1), ..ApiSettings::default() };
    ConnectionLimits::new(&settings, TrustedProxies::default())
}

/// The whole interface; requests that come over no connection need a peer all the same.
fn router(state: &ApiState) -> Router {
    crate::router(state.clone()).layer(MockConnectInfo(SocketAddr::from((Ipv4Addr::LOCALHOST, 1))))
}

/// The interface over a database and a directory of its own.
struct Api {
    router: Router,
    state: ApiState,
    database: Database,
    /// Commands of workers.
    jobs: Arc<CommandBus<Job>>,
    job_queries: JobQueries,
    projector: Projector,
    directory: TempDir,
    /// Ends the streams.
    stop: CancellationToken,
}

impl Api {
    async fn new() -> Self {
        let api = Self::over(&Postgres::shared().new_database(), None).await;
        api.database.prepare().await.expect("the schema is created");
        api
    }

    async fn over(database_url: &str, nats: Option<async_nats::Client>) -> Self {
        record_traces();
        let database = Database::open(&database_url.into(), 8).expect("a valid URL").with_master_keys(
            ytcaption_eventstore::encryption::MasterKeys::parse(ytcaption_testing::MASTER_KEY, []).expect("a key"),
        );
        let appender = Appender::start(&database);
        let directory = tempfile::tempdir().expect("a temporary directory");
        let stop = CancellationToken::new();
        let settings = ApiSettings {
            max_upload_bytes: MAX_UPLOAD_BYTES,
            max_body_bytes: MAX_BODY_BYTES,
            max_streams: MAX_STREAMS,
            max_streams_per_client: MAX_STREAMS,
            ..ApiSettings::default()
        };
        let (queries, ids) = (Queries::new(&database), IdGenerator::system());
        let jobs = Arc::new(CommandBus::new(&database, appender, Clock::system(), ids));
        let blobs: Arc<dyn BlobStore> =
            Arc::new(LocalDirectory::open(directory.path()).await.expect("a directory of blobs"));
        let state = ApiState {
            commands: Commands::new(Arc::clone(&jobs), queries.clone(), Arc::clone(&blobs), ids),
            queries,
            subscriptions: Subscriptions::start(&database, EventListener::start(&database)),
            streams: StreamPermits::new(&settings, stop.clone()),
            blobs,
            nats,
            network: Arc::new(AddressPolicy::default()),
            proxies: TrustedProxies::default(),
            settings: Arc::new(settings),
            models: Arc::new(|| Err("there are no models in this test".to_owned())),
            ids,
            metrics: ytcaption_telemetry::metrics::install().expect("one recorder a process"),
        };
        let (projector, job_queries) = (Projector::new(&database, JOBS), JobQueries::new(&database));
        Self { router: router(&state), state, database, jobs, job_queries, projector, directory, stop }
    }

    /// The same with models.
    fn with_models(self, models: ModelLister) -> Self {
        let state = ApiState { models, ..self.state };
        Self { router: router(&state), state, ..self }
    }

    /// The same with other settings.
    fn with_settings(self, change: impl FnOnce(&mut ApiSettings)) -> Self {
        let mut settings = ApiSettings::clone(&self.state.settings);
        change(&mut settings);
        let state = ApiState {
            proxies: TrustedProxies::new(&settings).expect("networks"),
            streams: StreamPermits::new(&settings, self.stop.clone()),
            settings: Arc::new(settings),
            ..self.state
        };
        Self { router: router(&state), state, ..self }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("the router always answers");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("answers are whole");
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(request(Method::GET, path, headers, Body::empty())).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, body, &[]).await
    }

    async fn post_with(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.send(request(Method::POST, path, &headers, Body::from(body.to_string()))).await
    }

    /// Submits an address and returns the job.
    async fn submitted(&self) -> JobId {
        let answer = self.post(COLLECTION, &json!({"url": "https://example.org/talk.mp4"})).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer.job_id()
    }

    /// Gives a job a command as a worker would.
    async fn work(&self, job: JobId, command: JobCommand) {
        let context = CommandContext {
            account: AccountId::local(),
            actor: Actor::Worker("test".to_owned()),
            correlation_id: self.state.ids.new_id(),
            causation_id: None,
            traceparent: None,
        };
        self.jobs.execute(job.0, command, &context).await.expect("the job takes the command");
    }

    async fn fail(&self, job: JobId, code: &str, message: &str) {
        self.work(job, JobCommand::StartDownload { worker: "w".into() }).await;
        let failure = Failure { code: code.into(), message: message.into() };
        self.work(job, JobCommand::RecordDownloadFailure { attempt: 1, failure, retry_in_ms: None }).await;
        self.project(job).await;
    }

    async fn complete(&self, job: JobId, title: Option<&str>) {
        let audio = Audio { key: "a".into(), bytes: 1, sha256: "0".repeat(64), duration_ms: 4_000 };
        let chunks = vec![Span { start_ms: 0, end_ms: 4_000 }];
        self.work(job, JobCommand::StartDownload { worker: "w".into() }).await;
        self.work(job, JobCommand::RecordAudio { attempt: 1, audio, title: title.map(str::to_owned), chunks }).await;
        self.work(job, JobCommand::StartChunk { chunk: 0, worker: "w".into(), model: "demo".into() }).await;
        let segments = vec![segment(0, 1_500, "Hello there."), segment(2_000, 3_250, "Captions – at last!")];
        self.work(job, JobCommand::RecordChunk { chunk: 0, attempt: 1, language: "en".into(), segments }).await;
        self.project(job).await;
    }

    /// Lets the read models catch up with a job. Other tests' transactions hold the feed back for moments.
    async fn project(&self, job: JobId) {
        let (_, version) = self.jobs.load(job.0).await.expect("the store answers");
        eventually("the read models show the job", async || {
            self.projector.catch_up().await.expect("the database answers");
            let account = AccountId::local();
            let page = self.job_queries.page(&account, JobFilter::default(), None, 1_000).await;
            let page = page.expect("the database answers");
            page.jobs.iter().any(|view| view.job_id == job && view.version == version)
        })
        .await;
    }

    async fn events(&self, job: JobId) -> Vec<RecordedEvent> {
        read_stream(&self.database, "job", &job.to_string()).await.expect("the store answers")
    }

    /// The event that created a job.
    async fn creation(&self, job: JobId) -> JobEvent {
        self.events(job).await[0].decode().expect("a job's event").remove(0)
    }

    async fn job_count(&self) -> i64 {
        aggregate_count(self.database.pool()).await
    }

    /// Sizes of all files in the blob store, hidden ones too.
    fn blob_files(&self) -> Vec<u64> {
        fn walk(directory: &Path, found: &mut Vec<u64>) {
            for entry in std::fs::read_dir(directory).expect("a readable directory").flatten() {
                let about = entry.metadata().expect("a readable entry");
                if about.is_dir() {
                    walk(&entry.path(), found);
                } else {
                    found.push(about.len());
                }
            }
        }
        let mut found = vec![];
        walk(self.directory.path(), &mut found);
        found
    }
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn job_id(&self) -> JobId {
        self.json()["job_id"].as_str().and_then(|id| id.parse().ok()).expect("a job id")
    }

    /// The problem, after a look at all that every problem has.
    #[track_caller]
    fn problem(&self, status: u16, slug: &str) -> Value {
        let problem = self.json();
        assert_eq!(problem["type"], format!("/problems/{slug}"), "{problem}");
        assert_eq!(self.status.as_u16(), status, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        for member in ["title", "detail", "instance"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {problem}");
        }
        problem
    }

    /// The pointers of a problem's errors, in order.
    #[track_caller]
    fn invalid_fields(&self) -> Vec<String> {
        let problem = self.problem(422, "invalid-request");
        let errors = problem["errors"].as_array().expect("a list of errors").iter();
        let mut pointers: Vec<_> =
            errors.map(|error| error["pointer"].as_str().expect("a pointer").to_owned()).collect();
        pointers.sort();
        pointers
    }
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).expect("a valid request")
}

fn segment(start_ms: u64, end_ms: u64, text: &str) -> Segment {
    Segment {
        start_ms,
        end_ms,
        text: text.to_owned(),
        avg_logprob: -0.25,
        no_speech_prob: 0.01,
        compression_ratio: 1.1,
        temperature: 0.0,
        words: vec![],
    }
}

/// Waits until something is so.
async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < EVENTUALLY_TIMEOUT, "after {EVENTUALLY_TIMEOUT:?} still not: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
