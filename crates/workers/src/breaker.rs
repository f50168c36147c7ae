//! Circuit breakers, one for each host: an unhealthy server gets no requests for a while, and work for others continues.
//!
//! ```text
//! closed ── TRIPS jobs in a row fail ──▶ open ── OPEN_TIME ──▶ half-open: one try ── it succeeds ──▶ closed
//!                                          ▲                          └── it fails ──┐
//!                                          └──────────────────────────────────────────┘
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;
use ytcaption_telemetry::metrics::{Circuit, circuit_breaker};

/// Jobs of this process that must fail, with none that succeeds in between, to open a breaker: one job with a bad URL, or an
/// attempt that is repeated, says nothing of its host.
const TRIPS: usize = 5;
/// How long an open breaker refuses all calls; also the longest wait for the result of the try.
const OPEN_TIME: Duration = Duration::from_secs(30);
/// Hosts that are kept; beyond that those without an open breaker are forgotten.
const MAX_HOSTS: usize = 1024;

/// The breakers of one kind of dependency.
pub(crate) struct Breakers {
    service: &'static str,
    dependency: &'static str,
    /// Hosts whose last call failed.
    failing: Mutex<HashMap<String, Failing>>,
}

#[derive(Debug, Clone)]
struct Failing {
    /// The jobs that failed since the last success, [`TRIPS`] at most.
    jobs: HashSet<Uuid>,
    /// No call is allowed before this time; `None` while the breaker is closed.
    until: Option<Instant>,
    /// A call was allowed as the try.
    trying: bool,
}

impl Breakers {
    /// Breakers that are all closed. The metric has these labels and the worst state of all hosts, since the number of hosts
    /// is not bounded.
    pub(crate) fn new(service: &'static str, dependency: &'static str) -> Self {
        circuit_breaker(service, dependency, Circuit::Closed);
        Self { service, dependency, failing: Mutex::default() }
    }

    /// Whether a call to the host may be made now.
    ///
    /// # Errors
    /// It may not; the time after which to check again.
    pub(crate) fn check(&self, host: &str) -> Result<(), Duration> {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Failing { until: Some(until), trying, .. }) = failing.get_mut(host) else { return Ok(()) };
        let now = Instant::now();
        if now < *until {
            return Err(*until - now);
        }
        *trying = true;
        *until = now + OPEN_TIME;
        self.show(&failing);
        Ok(())
    }

    /// A call to the host has succeeded: its breaker is closed.
    pub(crate) fn record_success(&self, host: &str) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if failing.remove(host).is_some_and(|host| host.until.is_some()) {
            tracing::info!(service = self.service, host, "the host is healthy again");
        }
        self.show(&failing);
    }

    /// A call to the host has failed for this job.
    pub(crate) fn record_failure(&self, host: &str, job: Uuid) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if failing.len() >= MAX_HOSTS {
            failing.retain(|_, host| host.until.is_some_and(|until| until > now));
        }
        let state =
            failing.entry(host.to_owned()).or_insert(Failing { jobs: HashSet::new(), until: None, trying: false });
        if state.jobs.len() < TRIPS {
            state.jobs.insert(job);
        }
        state.trying = false;
        if state.jobs.len() >= TRIPS {
            state.until = Some(now + OPEN_TIME);
            tracing::warn!(
                service = self.service,
                host,
                jobs = state.jobs.len(),
                open_seconds = OPEN_TIME.as_secs(),
                "the host is unhealthy and gets no requests for a while"
            );
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

/// Host and port of a URL, by which breakers are kept.
pub(crate) fn host_of(url: &url::Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn job(number: usize) -> Uuid {
        Uuid::from_u128(number as u128)
    }

    fn failing(jobs: usize) -> Breakers {
        let breakers = Breakers::new("test", "host");
        for number in 0..jobs {
            assert_eq!(breakers.check("a"), Ok(()));
            breakers.record_failure("a", job(number));
        }
        breakers
    }

    #[tokio::test(start_paused = true)]
    async fn one_job_that_fails_again_and_again_opens_nothing() {
        let breakers = failing(1);
        for _ in 0..10 * TRIPS {
            breakers.record_failure("a", job(0));
        }
        assert_eq!(breakers.check("a"), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_of_several_jobs_for_that_host_alone() {
        let breakers = failing(TRIPS);
        assert_eq!(breakers.check("a"), Err(OPEN_TIME));
        assert_eq!(breakers.check("b"), Ok(()));

        let breakers = failing(TRIPS - 1);
        breakers.record_success("a");
        breakers.record_failure("a", job(0));
        assert_eq!(breakers.check("a"), Ok(()), "a success in between resets the count");
    }

    #[tokio::test(start_paused = true)]
    async fn one_call_tries_after_the_open_time_and_decides_for_the_others() {
        let breakers = failing(TRIPS);
        advance(OPEN_TIME).await;
        assert_eq!(breakers.check("a"), Ok(()));
        assert_eq!(breakers.check("a"), Err(OPEN_TIME), "one is enough");
        breakers.record_failure("a", job(0));
        assert_eq!(breakers.check("a"), Err(OPEN_TIME));
        advance(OPEN_TIME).await;
        assert_eq!(breakers.check("a"), Ok(()));
        breakers.record_success("a");
        assert_eq!((breakers.check("a"), breakers.check("a")), (Ok(()), Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_without_a_result_does_not_block_the_host_for_ever() {
        let breakers = failing(TRIPS);
        advance(OPEN_TIME).await;
        assert_eq!(breakers.check("a"), Ok(()));
        advance(OPEN_TIME).await;
        assert_eq!(breakers.check("a"), Ok(()));
    }
}
