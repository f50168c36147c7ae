//! A running `ytcaption up` for a test.
//!
//! [`System::start`] runs the program in a data folder of its own on free ports and waits until it is ready. Whatever
//! happens, dropping it ends the program and the servers it manages, and removes the folder; if the test fails, the end
//! of the program's log is printed.
//!
//! ```ignore
//! let mut system = System::start().await;
//! let job = client.post(system.url("/api/v1/transcriptions")).json(&…).send().await;
//! system.kill_nats();          // like a crash: SIGKILL, by pid file; `up` brings it back
//! system.kill();               // SIGKILL to `up` itself; its servers stay, as after a real crash
//! system.restart().await;      // the same data folder again
//! assert!(system.terminate().await.success());  // SIGTERM, waits for the drain
//! ```
//!
//! Settings are environment variables: `System::with(&[("YTCAPTION_NETWORK__ALLOW", "")])`. None of the caller's own
//! `YTCAPTION_…`, `DATABASE_URL` or `NATS_URL` gets through.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// How long `up` may take until it is ready; making a database on a busy machine takes a few seconds.
const READY_TIMEOUT: Duration = Duration::from_mins(1);
/// How long it may take to end after SIGTERM: it promises 30 s for work in progress, and its servers stop after that.
const STOP_TIMEOUT: Duration = Duration::from_secs(45);
const POLL: Duration = Duration::from_millis(50);
/// How much of the log a failing test shows, in lines.
const LOG_TAIL_LINES: usize = 60;
/// Variables that must not reach the program from outside.
const SHARED_VARIABLES: [&str; 3] = ["DATABASE_URL", "NATS_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// The program under test.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ytcaption"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("YTCAPTION_") || SHARED_VARIABLES.contains(&name)) {
            command.env_remove(name);
        }
    }
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

/// A running `ytcaption up` with a data folder of its own.
pub(crate) struct System {
    folder: TempDir,
    variables: Vec<(String, String)>,
    up: Child,
    address: Value,
}

impl System {
    /// Starts the system; this machine's own addresses may be fetched from.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts the system with these variables set.
    pub(crate) async fn with(variables: &[(&str, &str)]) -> Self {
        Self::start_in(folder(), variables).await
    }

    /// Restores a backup into a data folder of its own and starts the system there.
    pub(crate) async fn restored(backup: &Path) -> Self {
        let folder = folder();
        let mut restore = tokio::process::Command::from(program());
        restore.arg("restore").arg(backup).arg("--data-dir").arg(data_dir(folder.path()));
        let output = restore.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self::start_in(folder, &[]).await
    }

    async fn start_in(folder: TempDir, variables: &[(&str, &str)]) -> Self {
        let mut all = vec![("YTCAPTION_NETWORK__ALLOW".to_owned(), "127.0.0.0/8,::1/128".to_owned())];
        all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let up = spawn(folder.path(), &all);
        let mut system = Self { folder, variables: all, up, address: Value::Null };
        system.wait_until_ready().await;
        system
    }

    /// The full address of a path of the API.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address["api"].as_str().unwrap())
    }

    /// How to reach its Postgres.
    pub(crate) fn database_url(&self) -> &str {
        self.address["database_url"].as_str().unwrap()
    }

    /// The same as the owner of the database.
    pub(crate) fn owner_url(&self) -> &str {
        self.address["owner_url"].as_str().unwrap()
    }

    /// How to reach its nats-server.
    pub(crate) fn nats_url(&self) -> &str {
        self.address["nats_url"].as_str().unwrap()
    }

    /// Its data folder.
    pub(crate) fn data_dir(&self) -> PathBuf {
        data_dir(self.folder.path())
    }

    /// A folder beside the data folder, for the test's own files.
    pub(crate) fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// The program with the same data folder, for commands such as `submit`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(arguments).arg("--data-dir").arg(self.data_dir());
        command
    }

    /// What the program has logged so far, over all its runs.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(log_path(self.folder.path())).unwrap_or_default()
    }

    /// Kills nats-server as a crash would; `up` has to bring it back.
    pub(crate) fn kill_nats(&self) {
        self.kill_server(Server::Nats);
    }

    /// Kills Postgres as a crash would; `up` has to bring it back.
    pub(crate) fn kill_postgres(&self) {
        self.kill_server(Server::Postgres);
    }

    /// Kills `up` as a crash would; its servers go on running, as they would then.
    pub(crate) fn kill(&mut self) {
        self.up.kill().unwrap();
        self.up.wait().unwrap();
    }

    /// Starts `up` again in the same data folder and waits until it is ready. The API has another port then.
    pub(crate) async fn restart(&mut self) {
        assert!(self.up.try_wait().unwrap().is_some(), "`up` still runs: call kill() or terminate() first");
        // The address of the killed run must not be taken for that of the new one.
        let _ = std::fs::remove_file(self.data_dir().join("ytcaption.json"));
        self.up = spawn(self.folder.path(), &self.variables);
        self.wait_until_ready().await;
    }

    /// Asks `up` to end (SIGTERM) and waits until it has.
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

    /// The process id of the managed nats-server, if there is one.
    pub(crate) fn nats_pid(&self) -> Option<i32> {
        self.server_pid(Server::Nats)
    }

    /// The process id of the managed Postgres, if there is one.
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
        // A server that was killed leaves its file behind.
        is_of(pid, &self.data_dir()).then_some(pid)
    }

    fn kill_server(&self, server: Server) {
        let pid = self.server_pid(server).unwrap_or_else(|| panic!("{server:?} does not run"));
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }

    async fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + READY_TIMEOUT;
        let file = self.data_dir().join("ytcaption.json");
        loop {
            if let Ok(text) = std::fs::read_to_string(&file) {
                self.address = serde_json::from_str(&text).unwrap();
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
            eprintln!("--- the end of the system's log ---");
            for line in &lines[lines.len().saturating_sub(LOG_TAIL_LINES)..] {
                eprintln!("{line}");
            }
        }
        // First `up`, or it would start its servers again.
        let _ = self.up.kill();
        let _ = self.up.wait();
        for server in [Server::Nats, Server::Postgres] {
            let Some(pid) = self.server_pid(server) else { continue };
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            while is_of(pid, &self.data_dir()) {
                std::thread::sleep(POLL);
            }
        }
    }
}

/// A new folder for a system and the test's files.
fn folder() -> TempDir {
    // Postgres runs as another user when the test runs as root, and must be able to pass.
    let mode = Permissions::from_mode(0o711);
    tempfile::Builder::new().prefix("ytcaption-it-").permissions(mode).tempdir().unwrap()
}

fn data_dir(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("up.log")
}

fn spawn(folder: &Path, variables: &[(String, String)]) -> Child {
    let log = File::options().create(true).append(true).open(log_path(folder)).unwrap();
    program()
        .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data_dir(folder))
        .arg("--model")
        .arg(model())
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

/// Whether the process runs and has to do with `folder`.
fn is_of(pid: i32, folder: &Path) -> bool {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&command).contains(&*folder.to_string_lossy())
}
