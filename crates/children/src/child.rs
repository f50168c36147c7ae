//! A running child, and the thread that its life is tied to.

use std::io;
use std::process::ExitStatus;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::runtime::Handle;

use crate::limits::Limits;
use crate::sandbox::Rules;

/// A running program. Dropping it kills the program with all processes that it started; so does the end of this process.
#[derive(Debug)]
pub struct Child {
    /// What it takes.
    pub stdin: Option<ChildStdin>,
    /// What it prints.
    pub stdout: Option<ChildStdout>,
    /// What it reports.
    pub stderr: Option<ChildStderr>,
    process: tokio::process::Child,
    limits: Limits,
    /// The group that it leads, until it has been waited for.
    group: Option<Pid>,
    /// The thread that started it ends when this is dropped, and with the thread the program.
    _thread: mpsc::Sender<()>,
}

impl Child {
    /// Starts `command` from a thread of its own. Landlock's rules belong to a thread, cannot be lifted and are inherited; and
    /// the signal at the parent's death is in truth sent at the end of the thread that started the program, so that this
    /// thread must live as long as the program.
    pub(crate) fn start(
        mut command: Command,
        rules: Rules,
        limits: Limits,
        first_cpu: Option<Duration>,
    ) -> io::Result<Self> {
        let runtime = Handle::current();
        let (started, result) = mpsc::sync_channel(1);
        let (dropped, until_dropped) = mpsc::channel::<()>();
        thread::Builder::new().name("child".into()).stack_size(256 * 1024).spawn(move || {
            let _runtime = runtime.enter();
            let process = rules
                .restrict_thread()
                .and_then(|_| command.spawn())
                .and_then(|process| limits.apply(process, first_cpu));
            // The receiver waits for it.
            let _ = started.send(process);
            // An error, when the sender is dropped, is what is waited for.
            let _ = until_dropped.recv();
        })?;
        let mut process = result.recv().map_err(io::Error::other)??;
        let group = process.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        Ok(Self { stdin, stdout, stderr, process, limits, group, _thread: dropped })
    }

    /// Its process id; `None` once it has been waited for.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Gives it all the time on the processor that its limits permit, see [`ChildCommand::first_cpu`](crate::ChildCommand).
    ///
    /// # Errors
    /// What the system says, such as that it has ended.
    pub fn allow_cpu(&self) -> io::Result<()> {
        self.limits.allow_cpu(&self.process)
    }

    /// Waits for its end, and ends what it has left running.
    ///
    /// # Errors
    /// As [`tokio::process::Child::wait`].
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.process.wait().await?;
        self.kill_group();
        Ok(status)
    }

    fn kill_group(&mut self) {
        if let Some(group) = self.group.take() {
            // An error says that the group has ended already.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill_group();
    }
}
