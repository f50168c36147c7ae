//! Programs that the kernel lets connect to one port only (Landlock, <https://docs.kernel.org/userspace-api/landlock.html>).
//!
//! A proxy cannot stop a program that does not use it, for example because a protocol knows no proxy. The kernel can: Linux
//! 6.7 for TCP, later kernels for more; on an older one the programs run without restrictions.

use std::io;

use landlock::{
    ABI, Access as _, AccessNet, NetPort, RestrictionStatus, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    RulesetError, RulesetStatus, Scope,
};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;

/// The newest kernel interface that is used.
const NEWEST: ABI = ABI::V10;

/// Starts `command` so that neither it nor what it starts can open a TCP connection to another port than `port`, or
/// listen on one.
///
/// # Errors
/// As [`Command::spawn`]; also if the kernel supports the restrictions and refuses them.
pub(crate) fn spawn(command: &mut Command, port: u16) -> io::Result<Child> {
    let runtime = Handle::current();
    on_a_thread(|| {
        let _runtime = runtime.enter();
        restrict(port).map_err(io::Error::other)?;
        command.spawn()
    })
}

/// Whether this kernel enforces the restrictions.
pub(crate) fn is_enforced() -> bool {
    let status = on_a_thread(|| restrict(0));
    status.is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

/// Restrictions belong to a thread, cannot be lifted, and are inherited by the programs that it starts.
fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

/// Restricts the thread as far as the kernel can; TCP is what it supported first.
fn restrict(port: u16) -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rule(NetPort::new(port, AccessNet::ConnectTcp))?
        .restrict_self()
}
