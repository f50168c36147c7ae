//! The harness of tests: real Postgres and nats-server, a directory of blobs, and the roles that a test starts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod http;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use url::Url;
use uuid::Uuid;
use ytcaption_blobstore::LocalDirectory;
use ytcaption_domain::job::{JobCommand, JobEvent, JobOptions, MediaSource, Priority, TranscriptionOptions};
use ytcaption_domain::network::AddressPolicy;
use ytcaption_domain::step::{STEPS, Step};
use ytcaption_domain::{AccountId, Actor, CommandContext, JobId};
use ytcaption_eventstore::{
    Appender, Clock, CommandBus, Database, EventListener, IdGenerator, RecordedEvent, read_stream,
};
use ytcaption_testing::{NatsServer, Postgres};

use crate::relay::RelayDeps;
use crate::{WorkerDeps, nats, relay, topology};

pub(crate) use http::{Answer, HttpServer, Request};

/// Longest wait for a condition of a test; long, for machines that are busy.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_mins(2);

pub(crate) struct TestHarness {
    pub(crate) deps: WorkerDeps,
    pub(crate) directory: TempDir,
    pub(crate) appender: Appender,
    listener: Arc<EventListener>,
    roles: Vec<(CancellationToken, AbortOnDropHandle<()>)>,
    _nats: NatsServer,
}

impl TestHarness {
    /// A harness in which no role runs yet, whose network policy permits loopback.
    pub(crate) async fn new() -> Self {
        Self::with_steps(&STEPS).await
    }

    /// The same with another step table.
    pub(crate) async fn with_steps(steps: &'static [Step]) -> Self {
        let server = tokio::task::spawn_blocking(NatsServer::start).await.unwrap();
        let url = tokio::task::spawn_blocking(|| Postgres::shared().new_database()).await.unwrap();
        let database = Database::open(&url.into(), 8).unwrap().with_master_keys(
            ytcaption_eventstore::encryption::MasterKeys::parse(ytcaption_testing::MASTER_KEY, []).unwrap(),
        );
        database.prepare().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let appender = Appender::start(&database);
        let nats = nats::connect(&server.url()).await.unwrap();
        topology::ensure(&nats, steps).await.unwrap();
        let listener = EventListener::start(&database);
        let deps = WorkerDeps {
            nats,
            jobs: Arc::new(CommandBus::new(&database, appender.clone(), Clock::system(), IdGenerator::system())),
            deliveries: Arc::new(CommandBus::new(&database, appender.clone(), Clock::system(), IdGenerator::system())),
            blobs: Arc::new(LocalDirectory::open(&directory.path().join("blobs")).await.unwrap()),
            network: AddressPolicy::new(["127.0.0.1/32"]).unwrap(),
            worker: "test:1".into(),
            grace: Duration::from_secs(1),
            steps,
            database,
        };
        Self { deps, directory, appender, listener, roles: Vec::new(), _nats: server }
    }

    /// Starts a role; returns what stops it.
    pub(crate) fn start<E: std::fmt::Debug + 'static>(
        &mut self,
        role: impl FnOnce(WorkerDeps, CancellationToken) -> std::pin::Pin<Box<dyn Future<Output = Result<(), E>> + Send>>,
    ) -> CancellationToken {
        let stop = CancellationToken::new();
        let running = role(self.deps.clone(), stop.clone());
        let handle = tokio::spawn(async move { running.await.unwrap() });
        self.roles.push((stop.clone(), AbortOnDropHandle::new(handle)));
        stop
    }

    pub(crate) fn start_relay(&mut self) -> CancellationToken {
        let listener = Arc::clone(&self.listener);
        self.start(|deps, stop| {
            let deps = RelayDeps { database: deps.database, nats: deps.nats, listener, steps: deps.steps };
            Box::pin(relay::run(deps, stop))
        })
    }

    /// Ends the role that was started last at once, as a crash does.
    pub(crate) fn kill_last(&mut self) {
        self.roles.pop();
    }

    /// Waits until every role that was requested to stop has stopped.
    pub(crate) async fn stopped(&mut self) {
        for (stop, role) in self.roles.extract_if(.., |(stop, _)| stop.is_cancelled()) {
            assert!(stop.is_cancelled());
            tokio::time::timeout(TEST_TIMEOUT, role).await.expect("the role stops").unwrap();
        }
    }

    pub(crate) async fn submit(&self, source: MediaSource, webhook_url: Option<Url>) -> JobId {
        self.create(source, TranscriptionOptions::default(), webhook_url).await
    }

    /// Creates a job with these options.
    pub(crate) async fn submit_with(&self, source: MediaSource, options: TranscriptionOptions) -> JobId {
        self.create(source, options, None).await
    }

    async fn create(&self, source: MediaSource, options: TranscriptionOptions, webhook_url: Option<Url>) -> JobId {
        let id = new_id();
        let command = JobCommand::Create {
            account: AccountId::local(),
            source,
            options: JobOptions::Transcription(options),
            priority: Priority::Normal,
            webhook_url,
            retry_of: None,
        };
        self.deps.jobs.create(id, command, &client()).await.unwrap();
        JobId(id)
    }

    pub(crate) async fn submit_url(&self, url: &str) -> JobId {
        self.submit(MediaSource::Url { url: url.parse().unwrap() }, None).await
    }

    pub(crate) async fn command(&self, job: JobId, command: JobCommand) {
        self.deps.jobs.execute(job.0, command, &client()).await.unwrap();
    }

    pub(crate) async fn events(&self, job: JobId) -> Vec<RecordedEvent> {
        read_stream(&self.deps.database, "job", &job.to_string()).await.unwrap()
    }

    pub(crate) async fn names(&self, job: JobId) -> Vec<String> {
        self.events(job).await.into_iter().map(|event| event.event_type).collect()
    }

    /// Waits for an event of the job for which `wanted` holds.
    pub(crate) async fn wait_for(&self, job: JobId, wanted: impl Fn(&JobEvent) -> bool) -> JobEvent {
        let begun = Instant::now();
        loop {
            for event in self.events(job).await {
                let found = event.decode().unwrap().into_iter().find(|event| wanted(event));
                if let Some(event) = found {
                    return event;
                }
            }
            if begun.elapsed() > TEST_TIMEOUT {
                let payloads: Vec<_> = self.events(job).await.into_iter().map(|event| event.payload).collect();
                panic!("waited in vain; there is {payloads:#?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How the job ended: `ok`, or the failure's code.
    pub(crate) async fn end_of(&self, job: JobId) -> String {
        let end = |event: &JobEvent| matches!(event, JobEvent::AudioDownloaded { .. } | JobEvent::JobFailed { .. });
        match self.wait_for(job, end).await {
            JobEvent::JobFailed { failure, .. } => {
                assert!(failure.message.ends_with('.') && failure.message.len() > 20, "{failure:?}");
                tracing::info!(?failure, "ended");
                failure.code
            }
            _ => "ok".to_owned(),
        }
    }
}

pub(crate) fn new_id() -> Uuid {
    IdGenerator::system().new_id()
}

pub(crate) fn client() -> CommandContext {
    CommandContext {
        account: AccountId::local(),
        actor: Actor::Client("test".into()),
        correlation_id: new_id(),
        causation_id: None,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
    }
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < TEST_TIMEOUT, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// A media file made by ffmpeg from these arguments, as bytes.
pub(crate) fn media(arguments: &str, ending: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join(format!("media.{ending}"));
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin"])
        .args(arguments.split_whitespace())
        .arg(&path)
        .output()
        .expect("ffmpeg is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::read(path).unwrap()
}
