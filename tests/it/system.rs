//! A running `ytcaption up` for a test.
//!
//! [`System::start`] runs the program in a data directory of its own on free ports and waits until it is ready. Dropping
//! it always ends the program and the servers that it manages, and removes the directory. If the test fails, the last lines
//! of the program's log are printed.
//!
//! ```ignore
//! let mut system = System::start().await;
//! let job = client.post(system.url("/api/v1/transcriptions")).json(&…).send().await;
//! system.kill_nats();          // like a crash: SIGKILL, by pid file; `up` restarts it
//! system.kill();               // SIGKILL to `up` itself; its servers keep running, as after a real crash
//! system.restart().await;      // in the same data directory
//! assert!(system.terminate().await.success());  // SIGTERM, waits for the drain
//! ```
//!
//! Settings are environment variables: `System::start_with(&[("YTCAPTION_NETWORK__ALLOW", "")])`. The variables
//! `YTCAPTION_…`, `DATABASE_URL` and `NATS_URL` of the test process are not passed on.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// How long `up` may take until it is ready; creating a database on a busy machine takes a few seconds.
const READY_TIMEOUT: Duration = Duration::from_mins(1);
/// How long `up` may take to end after SIGTERM: it gives work in progress 30 s, and its servers stop after that.
const STOP_TIMEOUT: Duration = Duration::from_secs(45);
const POLL: Duration = Duration::from_millis(50);
/// Number of log lines that a failing test prints.
const LOG_TAIL_LINES: usize = 60;
/// Environment variables of the test process that the program must not see.
const SHARED_VARIABLES: [&str; 3] = ["DATABASE_URL", "NATS_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// The program under test.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ytcaption"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("YTCAPTION_") || SHARED_VARIABLES.contains(&name)) {
            command.env_remove(name);
        }
    }
    // Tests read the store of the program.
    command.env("YTCAPTION_ENCRYPTION__MASTER_KEY", ytcaption_testing::MASTER_KEY);
    command
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("REPOSITORY_ROOT", "run cargo within the clone: its .cargo/config.toml sets this")).to_owned()
}

/// The demo model, or the one that `YTCAPTION_TEST_MODEL` names.
pub(crate) fn model() -> PathBuf {
    std::env::var_os("YTCAPTION_TEST_MODEL").map_or_else(|| root().join("models/demo/model"), PathBuf::from)
}

/// A server that `up` manages.
#[derive(Debug, Clone, Copy)]
enum Server {
    Nats,
    Postgres,
}

/// A running `ytcaption up` with a data directory of its own.
pub(crate) struct System {
    directory: TempDir,
    variables: Vec<(String, String)>,
    up: Child,
    /// The content of `ytcaption.json`: the URLs of the API and of the servers.
    endpoints: Value,
}

impl System {
    /// Starts the system; downloads from this machine's loopback addresses are allowed.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts the system with these environment variables set.
    pub(crate) async fn start_with(variables: &[(&str, &str)]) -> Self {
        Self::start_in(new_directory(), variables).await
    }

    /// Starts the system in a data directory that `prepare` has had its way with.
    pub(crate) async fn start_prepared(prepare: impl FnOnce(&Path)) -> Self {
        let directory = new_directory();
        prepare(&data_dir(directory.path()));
        Self::start_in(directory, &[]).await
    }

    /// Restores a backup that this key has signed into a new data directory and starts the system there.
    pub(crate) async fn restored(backup: &Path, key: &str) -> Self {
        let directory = new_directory();
        let mut restore = tokio::process::Command::from(program());
        restore.arg("restore").arg(backup).args(["--trust", key]).arg("--data-dir").arg(data_dir(directory.path()));
        let output = restore.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self::start_in(directory, &[]).await
    }

    async fn start_in(directory: TempDir, variables: &[(&str, &str)]) -> Self {
        let mut all = vec![("YTCAPTION_NETWORK__ALLOW".to_owned(), "127.0.0.0/8,::1/128".to_owned())];
        all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let up = spawn(directory.path(), &all);
        let mut system = Self { directory, variables: all, up, endpoints: Value::Null };
        system.wait_until_ready().await;
        system
    }

    /// The URL of a path of the API.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.endpoints["api"].as_str().unwrap())
    }

    /// The URL of its database, with the role of the services.
    pub(crate) fn database_url(&self) -> &str {
        self.endpoints["database_url"].as_str().unwrap()
    }

    /// The URL of its database, with the role that owns it.
    pub(crate) fn owner_url(&self) -> &str {
        self.endpoints["owner_url"].as_str().unwrap()
    }

    /// The URL of its nats-server.
    pub(crate) fn nats_url(&self) -> &str {
        self.endpoints["nats_url"].as_str().unwrap()
    }

    /// Its data directory.
    pub(crate) fn data_dir(&self) -> PathBuf {
        data_dir(self.directory.path())
    }

    /// A directory beside the data directory, for the test's own files.
    pub(crate) fn scratch(&self) -> &Path {
        self.directory.path()
    }

    /// A command of the program, such as `submit`, with the same data directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(arguments).arg("--data-dir").arg(self.data_dir());
        command
    }

    /// The log of the program so far, of all its runs.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(log_path(self.directory.path())).unwrap_or_default()
    }

    /// Kills nats-server (SIGKILL); `up` has to restart it.
    pub(crate) fn kill_nats(&self) {
        self.kill_server(Server::Nats);
    }

    /// Kills Postgres (SIGKILL); `up` has to restart it.
    pub(crate) fn kill_postgres(&self) {
        self.kill_server(Server::Postgres);
    }

    /// Kills `up` (SIGKILL); its servers keep running, as after a crash.
    pub(crate) fn kill(&mut self) {
        self.up.kill().unwrap();
        self.up.wait().unwrap();
    }

    /// Starts `up` again in the same data directory and waits until it is ready. The API then has another port.
    pub(crate) async fn restart(&mut self) {
        assert!(self.up.try_wait().unwrap().is_some(), "`up` is still running: call kill() or terminate() first");
        // The endpoints of the killed run must not be taken for those of the new one.
        let _ = std::fs::remove_file(self.data_dir().join("ytcaption.json"));
        self.up = spawn(self.directory.path(), &self.variables);
        self.wait_until_ready().await;
    }

    /// Sends SIGTERM to `up` and waits until it has ended.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        kill(pid_of(&self.up), Signal::SIGTERM).unwrap();
        let deadline = Instant::now() + STOP_TIMEOUT;
        loop {
            if let Some(status) = self.up.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "`up` did not end within {STOP_TIMEOUT:?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// The process id of the managed nats-server, if it runs.
    pub(crate) fn nats_pid(&self) -> Option<i32> {
        self.server_pid(Server::Nats)
    }

    /// The process id of the managed Postgres, if it runs.
    pub(crate) fn postgres_pid(&self) -> Option<i32> {
        self.server_pid(Server::Postgres)
    }

    fn server_pid(&self, server: Server) -> Option<i32> {
        let file = match server {
            Server::Nats => "nats/nats-server.pid",
            Server::Postgres => "postgres/data/postmaster.pid",
        };
        let text = std::fs::read_to_string(self.data_dir().join(file)).ok()?;
        let pid: i32 = text.lines().next()?.trim().parse().ok()?;
        // A server that was killed leaves its pid file behind.
        names_directory(pid, &self.data_dir()).then_some(pid)
    }

    fn kill_server(&self, server: Server) {
        let pid = self.server_pid(server).unwrap_or_else(|| panic!("{server:?} is not running"));
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }

    async fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + READY_TIMEOUT;
        let file = self.data_dir().join("ytcaption.json");
        loop {
            if let Ok(text) = std::fs::read_to_string(&file) {
                self.endpoints = serde_json::from_str(&text).unwrap();
                return;
            }
            if let Some(status) = self.up.try_wait().unwrap() {
                panic!("`up` ended while starting: {status}");
            }
            assert!(Instant::now() < deadline, "`up` was not ready within {READY_TIMEOUT:?}");
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- last lines of the system's log ---");
            for line in &lines[lines.len().saturating_sub(LOG_TAIL_LINES)..] {
                eprintln!("{line}");
            }
        }
        // `up` first: otherwise it would restart its servers.
        let _ = self.up.kill();
        let _ = self.up.wait();
        for server in [Server::Nats, Server::Postgres] {
            let Some(pid) = self.server_pid(server) else { continue };
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            while names_directory(pid, &self.data_dir()) {
                std::thread::sleep(POLL);
            }
        }
    }
}

/// A new directory for a system and the files of its test.
fn new_directory() -> TempDir {
    // When the test runs as root, Postgres runs as another user, who must be able to enter the directory.
    let mode = Permissions::from_mode(0o711);
    tempfile::Builder::new().prefix("ytcaption-it-").permissions(mode).tempdir().unwrap()
}

fn data_dir(directory: &Path) -> PathBuf {
    directory.join("data")
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("up.log")
}

fn spawn(directory: &Path, variables: &[(String, String)]) -> Child {
    let log = File::options().create(true).append(true).open(log_path(directory)).unwrap();
    program()
        .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data_dir(directory))
        .arg("--model")
        .arg(model())
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

/// Whether the process runs and its command line contains `directory`.
fn names_directory(pid: i32, directory: &Path) -> bool {
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&command).contains(&*directory.to_string_lossy())
}
