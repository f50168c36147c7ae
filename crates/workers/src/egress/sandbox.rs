//! Programs that the kernel lets connect to one port only (Landlock, <https://docs.kernel.org/userspace-api/landlock.html>).
//!
//! A proxy serves those who ask it. This is for what does not: a protocol that knows no proxy, a page that talks a program
//! out of it. Linux 6.7 can do it for TCP, later kernels for more; an older one lets the programs run as they are.

use std::io;

use landlock::{
    ABI, Access as _, AccessNet, NetPort, RestrictionStatus, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    RulesetError, RulesetStatus, Scope,
};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;

/// The newest kernel interface that is made use of.
const NEWEST: ABI = ABI::V10;

/// Starts `command` so that neither it nor what it starts can open a TCP connection to another port than `port`, or
/// listen on one.
///
/// # Errors
/// As [`Command::spawn`], and when the kernel could shut it in and does not.
pub(crate) fn spawn(command: &mut Command, port: u16) -> io::Result<Child> {
    let runtime = Handle::current();
    on_a_thread(|| {
        let _runtime = runtime.enter();
        restrict(port).map_err(io::Error::other)?;
        command.spawn()
    })
}

/// Whether this kernel shuts programs in.
pub(crate) fn is_enforced() -> bool {
    let status = on_a_thread(|| restrict(0));
    status.is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

/// Restrictions are of a thread, for good, and inherited by the programs that it starts.
fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

/// As much of it as the kernel knows; TCP is what it learned first.
fn restrict(port: u16) -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rule(NetPort::new(port, AccessNet::ConnectTcp))?
        .restrict_self()
}
