//! SIGTERM and SIGINT.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a person or a supervisor asked of this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shutdown {
    /// Take no new work, end what is in progress. Asked for by the first signal.
    pub(crate) drain: CancellationToken,
    /// End at once. Asked for by the second signal.
    pub(crate) now: CancellationToken,
}

impl Shutdown {
    /// Begins to listen for the signals.
    ///
    /// # Errors
    /// The system gives no signal handlers.
    pub(crate) fn on_signals() -> std::io::Result<Self> {
        let shutdown = Self::default();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let asked = shutdown.clone();
        tokio::spawn(async move {
            for step in [asked.drain, asked.now] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                step.cancel();
            }
        });
        Ok(shutdown)
    }
}
