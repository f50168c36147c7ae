//! The system as a cluster runs it: every role is a process of its own; Postgres, NATS and storage are shared.
//!
//! ```ignore
//! let cluster = Cluster::start().await;
//! cluster.kill(Role::Relay);    // SIGKILL
//! cluster.launch(Role::Relay);  // starts it again
//! ```

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::StatusCode;
use tempfile::TempDir;
use ytcaption_testing::{NatsServer, Postgres};

use crate::client::Client;
use crate::history::History;
use crate::system::{model, program};

const POLL: Duration = Duration::from_millis(50);

/// A process of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Serve,
    Relay,
    Project,
    Download,
    Transcribe,
    Notify,
    Seal,
}

impl Role {
    const ALL: [Self; 7] =
        [Self::Serve, Self::Relay, Self::Project, Self::Download, Self::Transcribe, Self::Notify, Self::Seal];

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Serve => &["serve"],
            Self::Relay => &["relay"],
            Self::Project => &["project"],
            Self::Download => &["worker", "download"],
            Self::Transcribe => &["worker", "transcribe"],
            Self::Notify => &["worker", "notify"],
            Self::Seal => &["seal"],
        }
    }
}

/// Processes that share two servers and a directory; all are killed when dropped.
pub(crate) struct Cluster {
    directory: TempDir,
    /// The directory of its storage, shared with another cluster by [`Cluster::beside`].
    data: PathBuf,
    database_url: String,
    nats_url: String,
    api: u16,
    running: Mutex<HashMap<Role, Child>>,
    /// The server itself, if it is the cluster's own.
    _nats: Option<NatsServer>,
}

impl Cluster {
    /// Starts every role with a new database, connected as the role that cannot change events, and a nats-server of its own.
    pub(crate) async fn start() -> Self {
        let database_url = migrated_for_services(&new_database().await).await;
        let nats = tokio::task::spawn_blocking(NatsServer::start).await.unwrap();
        let nats_url = nats.url();
        let cluster = Self::with_servers(&database_url, &nats_url, Some(nats));
        for role in Role::ALL {
            cluster.launch(role);
        }
        cluster.ready().await;
        cluster
    }

    /// A cluster on these servers, in which no process runs yet.
    pub(crate) fn on(database_url: &str, nats_url: &str) -> Self {
        Self::with_servers(database_url, nats_url, None)
    }

    /// A second set of processes for the same system, none of which runs yet. It must be dropped before `self`.
    pub(crate) fn beside(&self) -> Self {
        let mut beside = Self::on(&self.database_url, &self.nats_url);
        beside.data.clone_from(&self.data);
        beside
    }

    fn with_servers(database_url: &str, nats_url: &str, nats: Option<NatsServer>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let directory = tempfile::Builder::new().prefix("ytcaption-it-cluster-").tempdir().unwrap();
        Self {
            data: directory.path().join("data"),
            directory,
            database_url: database_url.to_owned(),
            nats_url: nats_url.to_owned(),
            api: listener.local_addr().unwrap().port(),
            running: Mutex::default(),
            _nats: nats,
        }
    }

    /// Starts the process of a role.
    pub(crate) fn launch(&self, role: Role) {
        let log = File::options().create(true).append(true).open(self.log_path(role)).unwrap();
        let mut command = program();
        command.args(role.arguments()).arg("--data-dir").arg(&self.data);
        match role {
            Role::Serve => drop(command.arg("--listen").arg(format!("127.0.0.1:{}", self.api))),
            Role::Transcribe => drop(command.arg("--model").arg(model())),
            _ => {}
        }
        command.env("DATABASE_URL", &self.database_url).env("NATS_URL", &self.nats_url);
        command.env("YTCAPTION_NETWORK__ALLOW", "127.0.0.0/8").current_dir(self.directory.path());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let before = self.running.lock().unwrap().insert(role, command.spawn().unwrap());
        assert!(before.is_none(), "{role:?} is already running");
    }

    /// Sends a signal to the process of a role: SIGSTOP makes it hang.
    pub(crate) fn signal(&self, role: Role, signal: Signal) {
        let pid = self.running.lock().unwrap()[&role].id();
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
    }

    /// Kills the process of a role (SIGKILL).
    pub(crate) fn kill(&self, role: Role) {
        let mut child = self.running.lock().unwrap().remove(&role).unwrap();
        assert!(child.try_wait().unwrap().is_none(), "{role:?} has ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Lets the process of a role crash as native code does that divides by zero (SIGFPE).
    pub(crate) fn crash(&self, role: Role) {
        self.signal(role, Signal::SIGFPE);
        let status = self.running.lock().unwrap().remove(&role).unwrap().wait().unwrap();
        assert_eq!(status.signal(), Some(Signal::SIGFPE as i32), "{status}");
    }

    /// A client of its API.
    pub(crate) fn client(&self) -> Client {
        Client::new(&format!("http://127.0.0.1:{}", self.api))
    }

    /// The event store behind it.
    pub(crate) fn history(&self) -> History {
        History::new(&self.database_url)
    }

    /// The directory in which it stores audio and uploads.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.data.join("blobs")
    }

    /// The log of a role so far, of all its runs.
    pub(crate) fn log(&self, role: Role) -> String {
        std::fs::read_to_string(self.log_path(role)).unwrap_or_default()
    }

    /// Waits until the API responds, even if it is not ready.
    pub(crate) async fn is_live(&self) {
        while self.health("live").await.is_none() {
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the API is ready: all its dependencies are up and its database has the schema.
    pub(crate) async fn ready(&self) {
        while self.health("ready").await != Some(StatusCode::OK) {
            tokio::time::sleep(POLL).await;
        }
    }

    async fn health(&self, page: &str) -> Option<StatusCode> {
        let response = reqwest::get(format!("http://127.0.0.1:{}/health/{page}", self.api)).await;
        response.ok().map(|response| response.status())
    }

    fn log_path(&self, role: Role) -> std::path::PathBuf {
        self.directory.path().join(format!("{role:?}.log"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let failing = std::thread::panicking();
        // A poisoned lock means that the test has already failed.
        let mut running = self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (_, mut child) in running.drain() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if failing {
            for role in Role::ALL {
                eprintln!("--- the log of {role:?} ---\n{}", self.log(role));
            }
        }
    }
}

/// The URL of an empty database.
pub(crate) async fn new_database() -> String {
    tokio::task::spawn_blocking(|| Postgres::shared().new_database()).await.unwrap()
}

/// Creates the schema of an empty database as its owner; returns the URL with the role of the services, which own nothing.
async fn migrated_for_services(owner_url: &str) -> String {
    let mut service_url: url::Url = owner_url.parse().unwrap();
    service_url.set_username("ytcaption_service").unwrap();
    let mut migrate = tokio::process::Command::from(program());
    migrate.arg("migrate").env("DATABASE_URL", service_url.as_str()).env("YTCAPTION_DATABASE__OWNER_URL", owner_url);
    let output = migrate.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    service_url.into()
}
