//! Runs roles side by side until one of them fails or the process receives a signal.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Whether this process has to stop, as SIGTERM and SIGINT request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shutdown {
    /// Take no new work, end what is in progress. Requested by the first signal.
    pub(crate) drain: CancellationToken,
    /// End at once. Requested by the second signal.
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
        let requested = shutdown.clone();
        tokio::spawn(async move {
            for step in [requested.drain, requested.now] {
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

/// Roles that run in this process.
#[derive(Debug)]
pub(crate) struct Running {
    roles: JoinSet<(&'static str, anyhow::Result<()>)>,
    /// Cancelled when the roles have to end; each gets it.
    pub(crate) stop: CancellationToken,
}

impl Running {
    pub(crate) fn new() -> Self {
        Self { roles: JoinSet::new(), stop: CancellationToken::new() }
    }

    /// Starts a role. It is to return soon after `stop` is cancelled, and not before.
    pub(crate) fn start(
        &mut self,
        name: &'static str,
        role: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.roles.spawn(async move { (name, role.await) });
    }

    /// Waits for a signal, then until the roles have drained or `grace` is over.
    ///
    /// # Errors
    /// A role failed; the others were stopped because of it.
    pub(crate) async fn until_stopped(mut self, shutdown: &Shutdown, grace: Duration) -> anyhow::Result<()> {
        let outcome = tokio::select! {
            // A process that is stopped while it still waits for its servers has no role yet; that is not an error.
            biased;
            () = shutdown.drain.cancelled() => Ok(()),
            ended = self.roles.join_next() => Err(too_early(ended)),
        };
        self.stop.cancel();
        tracing::info!(grace_seconds = grace.as_secs(), "stopping: work in progress may end");
        let mut failed = outcome.err();
        let drained = async {
            while let Some(ended) = self.roles.join_next().await {
                if let Ok((name, Err(error))) = ended {
                    tracing::error!(role = name, error = format!("{error:#}"), "a role failed while stopping");
                    failed.get_or_insert(error.context(format!("the role `{name}` failed while stopping")));
                }
            }
        };
        tokio::select! {
            () = drained => tracing::info!("all roles have stopped"),
            () = tokio::time::sleep(grace) => {
                tracing::warn!("dropping work that did not end in time; it will be repeated");
            }
            () = shutdown.now.cancelled() => tracing::warn!("a second signal: dropping work in progress"),
        }
        self.roles.shutdown().await;
        failed.map_or(Ok(()), Err)
    }
}

/// Roles end when they are stopped; one that ends before has failed.
fn too_early(ended: Option<Result<(&'static str, anyhow::Result<()>), JoinError>>) -> anyhow::Error {
    match ended {
        Some(Ok((name, Err(error)))) => error.context(format!("the role `{name}` failed")),
        Some(Ok((name, Ok(())))) => anyhow::anyhow!("the role `{name}` ended by itself"),
        Some(Err(error)) => anyhow::Error::new(error).context("a role failed"),
        None => anyhow::anyhow!("there is no role to run"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_failing_role_stops_the_others_and_is_named() {
        let mut running = Running::new();
        let stop = running.stop.clone();
        running.start("patient", async move {
            stop.cancelled().await;
            Ok(())
        });
        running.start("broken", async { Err(anyhow::anyhow!("no model")) });
        let outcome = running.until_stopped(&Shutdown::default(), GRACE).await;
        let message = outcome.map_err(|error| format!("{error:#}"));
        assert_eq!(message, Err("the role `broken` failed: no model".to_owned()));
    }

    #[tokio::test]
    async fn a_signal_before_any_role_has_started_is_not_an_error() {
        for _ in 0..20 {
            let shutdown = Shutdown::default();
            shutdown.drain.cancel();
            assert!(Running::new().until_stopped(&shutdown, GRACE).await.is_ok());
        }
    }

    #[tokio::test]
    async fn a_signal_lets_roles_drain_but_not_for_ever() {
        let shutdown = Shutdown::default();
        let mut running = Running::new();
        let (drained, mut was_drained) = tokio::sync::oneshot::channel();
        let stop = running.stop.clone();
        running.start("draining", async move {
            stop.cancelled().await;
            // The receiver is gone only if the test has failed already.
            let _ = drained.send(());
            Ok(())
        });
        running.start("stuck", std::future::pending());
        shutdown.drain.cancel();
        assert!(running.until_stopped(&shutdown, GRACE).await.is_ok());
        assert!(was_drained.try_recv().is_ok());
    }
}
