//! Circuit breakers, one a host: a server in trouble is left alone for a while, and work for others goes on.
//!
//! ```text
//! closed ── TRIPS failures in a row ──▶ open ── PAUSE ──▶ half-open: one try ── it succeeds ──▶ closed
//!                                         ▲                      └── it fails ──┐
//!                                         └──────────────────────────────────────┘
//! ```

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use ytcaption_telemetry::metrics::{Circuit, circuit_breaker};

/// Failures in a row, over all jobs of this process, that open a breaker.
const TRIPS: u32 = 5;
/// How long an open breaker lets nobody through; also how long the one that tries is waited for.
const PAUSE: Duration = Duration::from_secs(30);
/// So many hosts are remembered; beyond that those that are not in trouble now are forgotten.
const MOST_HOSTS: usize = 1024;

/// The breakers of one kind of dependency.
pub(crate) struct Breakers {
    service: &'static str,
    dependency: &'static str,
    /// Hosts whose last call failed.
    failing: Mutex<HashMap<String, Failing>>,
}

#[derive(Debug, Clone, Copy)]
struct Failing {
    failures: u32,
    /// Nobody gets through before this; none while the breaker is closed.
    until: Option<Instant>,
    /// Somebody got through to try.
    trying: bool,
}

impl Breakers {
    /// Breakers that are all closed. Metrics show them under these names, the host in the worst state for all, since
    /// there is no end of hosts.
    pub(crate) fn new(service: &'static str, dependency: &'static str) -> Self {
        circuit_breaker(service, dependency, Circuit::Closed);
        Self { service, dependency, failing: Mutex::default() }
    }

    /// Whether a call to the host may be made now.
    ///
    /// # Errors
    /// It may not; the time after which to ask again.
    pub(crate) fn check(&self, host: &str) -> Result<(), Duration> {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Failing { until: Some(until), trying, .. }) = failing.get_mut(host) else { return Ok(()) };
        let now = Instant::now();
        if now < *until {
            return Err(*until - now);
        }
        *trying = true;
        *until = now + PAUSE;
        self.show(&failing);
        Ok(())
    }

    /// A call to the host came to this.
    pub(crate) fn record(&self, host: &str, is_well: bool) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if is_well {
            if failing.remove(host).is_some_and(|host| host.until.is_some()) {
                tracing::info!(service = self.service, host, "the host answers again");
            }
        } else {
            let now = Instant::now();
            if failing.len() >= MOST_HOSTS {
                failing.retain(|_, host| host.until.is_some_and(|until| until > now));
            }
            let state = failing.entry(host.to_owned()).or_insert(Failing { failures: 0, until: None, trying: false });
            state.failures = state.failures.saturating_add(1);
            state.trying = false;
            if state.failures >= TRIPS {
                state.until = Some(now + PAUSE);
                tracing::warn!(
                    service = self.service,
                    host,
                    failures = state.failures,
                    pause_seconds = PAUSE.as_secs(),
                    "the host is in trouble and left alone for a while"
                );
            }
        }
        self.show(&failing);
    }

    fn show(&self, failing: &HashMap<String, Failing>) {
        let state = failing.values().map(|host| match host {
            Failing { until: None, .. } => Circuit::Closed,
            Failing { trying: true, .. } => Circuit::HalfOpen,
            Failing { .. } => Circuit::Open,
        });
        let worst = state.max_by_key(|state| match state {
            Circuit::Closed => 0,
            Circuit::HalfOpen => 1,
            Circuit::Open => 2,
        });
        circuit_breaker(self.service, self.dependency, worst.unwrap_or(Circuit::Closed));
    }
}

/// The part of an address that a breaker goes by: host and port.
pub(crate) fn host_of(url: &url::Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn failing(times: u32) -> Breakers {
        let breakers = Breakers::new("test", "host");
        for _ in 0..times {
            assert_eq!(breakers.check("a"), Ok(()));
            breakers.record("a", false);
        }
        breakers
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_in_a_row_for_that_host_alone() {
        let breakers = failing(TRIPS);
        assert_eq!(breakers.check("a"), Err(PAUSE));
        assert_eq!(breakers.check("b"), Ok(()));

        let breakers = failing(TRIPS - 1);
        breakers.record("a", true);
        breakers.record("a", false);
        assert_eq!(breakers.check("a"), Ok(()), "a success in between counts");
    }

    #[tokio::test(start_paused = true)]
    async fn one_tries_after_the_pause_and_decides_for_the_others() {
        let breakers = failing(TRIPS);
        advance(PAUSE).await;
        assert_eq!(breakers.check("a"), Ok(()));
        assert_eq!(breakers.check("a"), Err(PAUSE), "one is enough");
        breakers.record("a", false);
        assert_eq!(breakers.check("a"), Err(PAUSE));
        advance(PAUSE).await;
        assert_eq!(breakers.check("a"), Ok(()));
        breakers.record("a", true);
        assert_eq!((breakers.check("a"), breakers.check("a")), (Ok(()), Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_never_came_back_does_not_close_it_for_ever() {
        let breakers = failing(TRIPS);
        advance(PAUSE).await;
        assert_eq!(breakers.check("a"), Ok(()));
        advance(PAUSE).await;
        assert_eq!(breakers.check("a"), Ok(()));
    }
}
