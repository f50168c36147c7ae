//! Keeps a server program running: started, waited for, restarted when it dies, stopped cleanly.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ConstantBuilder, ExponentialBuilder, RetryableWithContext as _};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::ManagedError;

/// How long a server may take until it answers; Postgres may have to recover first.
const READY_TIMEOUT: Duration = Duration::from_mins(1);
/// Interval between checks whether it is ready.
const READY_POLL: Duration = Duration::from_millis(50);
/// How long a server may take to stop before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// Delay before a server that died is started again; doubled after each start that fails.
const FIRST_RESTART_DELAY: Duration = Duration::from_millis(200);
/// Longest delay before a server is started again.
const LONGEST_RESTART_DELAY: Duration = Duration::from_secs(5);
/// How often the first start is repeated: the resources of a killed server may be released only a moment later.
const FIRST_START_RETRIES: usize = 2;
/// Delay before the first start is repeated.
const FIRST_START_DELAY: Duration = Duration::from_secs(1);
/// A log larger than this, in bytes, is put aside at start.
const LARGEST_LOG: u64 = 16 * 1024 * 1024;
/// Lines of a server's log that are repeated when it does not start.
const LOG_TAIL_LINES: usize = 4;

/// A server program.
pub(crate) trait Server: Send + Sync + 'static {
    /// What it is called in messages.
    fn name(&self) -> &'static str;
    /// The directory that it alone uses; part of its command line.
    fn directory(&self) -> &Path;
    /// Where it writes its process id.
    fn pid_file(&self) -> PathBuf;
    /// The signal that makes it stop cleanly and soon.
    fn stop_signal(&self) -> Signal;
    /// How it is started.
    fn command(&self) -> Command;
    /// Whether it answers; `pid` is its process id.
    fn is_ready(&mut self, pid: u32) -> impl Future<Output = bool> + Send;
    /// The URL to connect to once it runs; the same from then on, over restarts.
    fn url(&self) -> String;
}

/// A server that is being kept running.
#[derive(Debug)]
pub(crate) struct Supervised {
    stop: CancellationToken,
    restart: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Supervised {
    /// Stops a server that a killed run may have left running, starts the server and waits until it answers.
    ///
    /// # Errors
    /// It does not come up; the message repeats the end of its log.
    pub(crate) async fn start<S: Server>(server: S) -> Result<(Self, String), ManagedError> {
        stop_orphan(&server).await;
        let delays = ConstantBuilder::default().with_delay(FIRST_START_DELAY).with_max_times(FIRST_START_RETRIES);
        let launch = |mut server: S| async {
            let started = launch(&mut server).await;
            (server, started)
        };
        let (server, started) = launch.retry(delays).context(server).await;
        let child = started.map_err(|reason| {
            let log = log_path(server.directory());
            let reason = format!("{reason}{}", log_tail(&log));
            ManagedError::DoesNotStart { name: server.name(), reason, log }
        })?;
        let url = server.url();
        let (stop, restart) = (CancellationToken::new(), Arc::new(Notify::new()));
        let task = tokio::spawn(keep_running(server, child, stop.clone(), Arc::clone(&restart)));
        Ok((Self { stop, restart, task }, url))
    }

    /// Restarts the server whenever it is notified.
    pub(super) fn restarter(&self) -> Arc<Notify> {
        Arc::clone(&self.restart)
    }

    /// Stops the server cleanly.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a server's supervisor failed");
        }
    }
}

async fn keep_running<S: Server>(mut server: S, mut child: Child, stop: CancellationToken, restart: Arc<Notify>) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return stop_child(&server, &mut child).await,
            () = restart.notified() => stop_child(&server, &mut child).await,
            status = child.wait() => tracing::error!(
                server = server.name(), status = %describe(status.ok()), "a server died; starting it again"
            ),
        }
        let delays =
            ExponentialBuilder::default().with_min_delay(FIRST_RESTART_DELAY).with_max_delay(LONGEST_RESTART_DELAY);
        let mut delays = delays.without_max_times().build();
        child = loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(delays.next().unwrap_or(LONGEST_RESTART_DELAY)) => {}
            }
            match launch(&mut server).await {
                Ok(child) => break child,
                Err(reason) => tracing::error!(
                    server = server.name(), %reason, log = %log_path(server.directory()).display(),
                    "a server cannot be started again; retrying"
                ),
            }
        };
        tracing::info!(server = server.name(), "a server is back");
    }
}

/// Starts the program and waits until it answers.
async fn launch<S: Server>(server: &mut S) -> Result<Child, String> {
    let log =
        open_log(&log_path(server.directory())).map_err(|error| format!("its log cannot be written ({error})"))?;
    let errors = log.try_clone().map_err(|error| error.to_string())?;
    let mut child = server
        .command()
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(|error| format!("the program cannot be run ({error})"))?;
    let deadline = Instant::now() + READY_TIMEOUT;
    loop {
        let running = match child.try_wait() {
            Ok(None) => child.id(),
            Ok(Some(status)) => return Err(format!("it ended at once ({})", describe(Some(status)))),
            Err(error) => return Err(error.to_string()),
        };
        if let Some(pid) = running
            && server.is_ready(pid).await
        {
            tracing::debug!(server = server.name(), pid, "a server runs");
            return Ok(child);
        }
        if Instant::now() > deadline {
            stop_child(server, &mut child).await;
            return Err(format!("it does not answer within {} s", READY_TIMEOUT.as_secs()));
        }
        tokio::time::sleep(READY_POLL).await;
    }
}

async fn stop_child<S: Server>(server: &S, child: &mut Child) {
    let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) else { return };
    // It may have ended already; then the wait returns at once.
    let _ = kill(Pid::from_raw(pid), server.stop_signal());
    if tokio::time::timeout(STOP_TIMEOUT, child.wait()).await.is_err() {
        tracing::warn!(server = server.name(), "a server does not stop; killing it");
        // Fails only if it has just ended.
        let _ = child.kill().await;
    }
}

/// Stops the server that a killed `up` left running; the lock of the data directory proves that no other `up` uses it.
async fn stop_orphan<S: Server>(server: &S) {
    let Some(pid) = running_orphan(&server.pid_file(), server.directory()) else { return };
    tracing::warn!(server = server.name(), %pid, "stopping a server that a killed run left running");
    // Errors mean that it has just ended.
    let _ = kill(pid, server.stop_signal());
    let deadline = Instant::now() + STOP_TIMEOUT;
    while is_alive(pid) {
        if Instant::now() > deadline {
            let _ = kill(pid, Signal::SIGKILL);
        }
        tokio::time::sleep(READY_POLL).await;
    }
}

/// The process in `pid_file`, if it still runs and is the one we mean: ids are given out again.
fn running_orphan(pid_file: &Path, directory: &Path) -> Option<Pid> {
    let text = std::fs::read_to_string(pid_file).ok()?;
    let pid: i32 = text.lines().next()?.trim().parse().ok()?;
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    String::from_utf8_lossy(&command).contains(&*directory.to_string_lossy()).then(|| Pid::from_raw(pid))
}

fn is_alive(pid: Pid) -> bool {
    // A process that has ended but was not waited for still takes signals.
    let ended = std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    !ended && kill(pid, None) != Err(Errno::ESRCH)
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("server.log")
}

fn open_log(path: &Path) -> std::io::Result<File> {
    if std::fs::metadata(path).is_ok_and(|log| log.len() > LARGEST_LOG) {
        std::fs::rename(path, path.with_extension("log.old"))?;
    }
    File::options().create(true).append(true).open(path)
}

fn log_tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = &lines[lines.len().saturating_sub(LOG_TAIL_LINES)..];
    if tail.is_empty() { String::new() } else { format!("; the end of its log: {}", tail.join(" | ")) }
}

fn describe(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "unknown status".to_owned(), |status| status.to_string())
}
