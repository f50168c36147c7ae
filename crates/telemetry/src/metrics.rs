//! Every metric of the system: its name, unit and labels, and one function to record it.
//!
//! Labels hold few values on purpose: an endpoint is a route (`/api/v1/transcriptions/{id}`), never
//! a path with an id in it. Names follow <https://prometheus.io/docs/practices/naming/>.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

/// Counter `{service,endpoint,status}`: HTTP requests answered.
pub const HTTP_REQUESTS: &str = "http_requests_total";
/// Histogram `{service,endpoint}`, seconds: time from request to answer.
pub const HTTP_REQUEST_DURATION: &str = "http_request_duration_seconds";
/// Histogram `{outcome}`, seconds: time from a job's creation to its end.
pub const JOB_PROCESSING_DURATION: &str = "job_processing_duration_seconds";
/// Gauge `{queue}`: messages waiting for or in work at a consumer.
pub const QUEUE_DEPTH: &str = "queue_depth";
/// Gauge `{service,dependency}`: see [`Circuit`].
pub const CIRCUIT_BREAKER_STATE: &str = "circuit_breaker_state";
/// Counter `{event_type}`: events appended to the event store.
pub const EVENTS_APPENDED: &str = "events_appended_total";
/// Counter: events the relay has put on the stream.
pub const RELAY_PUBLISHED: &str = "relay_published_total";
/// Gauge: events in the store that the relay has not published yet.
pub const RELAY_LAG: &str = "relay_lag_events";
/// Gauge, seconds: how long the relay has published nothing although events wait for it.
pub const RELAY_STALLED: &str = "relay_stalled_seconds";
/// Gauge, seconds: how long the oldest committed event has waited for an older open transaction, anywhere in the cluster.
pub const FEED_HORIZON_AGE: &str = "feed_horizon_age_seconds";
/// Counter: messages the stream had lost and the relay has put on it again.
pub const RELAY_REFILLED: &str = "relay_refilled_total";
/// Gauge `{projection}`: events in the store that a projection has not seen yet.
pub const PROJECTION_LAG: &str = "projection_lag_events";
/// Counter `{projection}`: events a projection could not apply and put aside for an operator.
pub const PROJECTION_PARKED: &str = "projection_parked_events_total";
/// Gauge `{projection}`: events that are put aside now.
pub const PROJECTION_PARKED_NOW: &str = "projection_parked_events";
/// Gauge: events in the store that no seal covers yet.
pub const SEAL_LAG_EVENTS: &str = "seal_lag_events";
/// Gauge, seconds: how long the oldest event that no seal covers has been in the store.
pub const SEAL_LAG: &str = "seal_lag_seconds";
/// Gauge: streams of captions (Server-Sent Events) that are open now.
pub const SSE_STREAMS: &str = "sse_streams_open";
/// Histogram `{step}`, seconds: time a step took for a piece of work that it ended.
pub const STEP_DURATION: &str = "step_duration_seconds";
/// Histogram `{phase}`, seconds: time a phase of transcription took, for one batch of windows or one piece of audio.
pub const TRANSCRIPTION_PHASE_DURATION: &str = "transcription_phase_seconds";
/// Counter `{step,outcome}`: attempts of a step.
pub const STEP_ATTEMPTS: &str = "step_attempts_total";

/// Upper bounds for an HTTP answer, in seconds.
const HTTP_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Upper bounds for a whole job, in seconds: from a short clip to a day of video.
const JOB_BUCKETS: [f64; 13] =
    [1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 14_400.0, 86_400.0];
/// Upper bounds for a phase of transcription, in seconds.
const PHASE_BUCKETS: [f64; 11] = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];
/// How often recorded durations are folded into their buckets when they are not read.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// State of a circuit breaker, as [`CIRCUIT_BREAKER_STATE`] shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// 0: calls pass.
    Closed,
    /// 1: one call is let through to try.
    HalfOpen,
    /// 2: calls are refused.
    Open,
}

/// Reads what was recorded in this process.
#[derive(Clone)]
pub struct PrometheusHandle(metrics_exporter_prometheus::PrometheusHandle);

impl std::fmt::Debug for PrometheusHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrometheusHandle")
    }
}

impl PrometheusHandle {
    /// The `Content-Type` of [`Self::render`]'s text.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.0.render()
    }
}

/// Starts collecting metrics in this process. Further calls return the same handle, so each role of a process
/// that runs several may call it.
///
/// # Errors
/// When another recorder was installed before.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*installed {
        return Ok(handle.clone());
    }
    let handle = builder()?.install_recorder()?;
    describe();
    let upkeep = handle.clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(UPKEEP_INTERVAL);
            upkeep.run_upkeep();
        }
    });
    Ok(installed.insert(PrometheusHandle(handle)).clone())
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(HTTP_REQUEST_DURATION.to_owned()), &HTTP_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full(JOB_PROCESSING_DURATION.to_owned()), &JOB_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full(STEP_DURATION.to_owned()), &JOB_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full(TRANSCRIPTION_PHASE_DURATION.to_owned()), &PHASE_BUCKETS)
}

fn describe() {
    describe_counter!(HTTP_REQUESTS, Unit::Count, "HTTP requests answered.");
    describe_histogram!(HTTP_REQUEST_DURATION, Unit::Seconds, "Time from request to answer.");
    describe_histogram!(JOB_PROCESSING_DURATION, Unit::Seconds, "Time from a job's creation to its end.");
    describe_gauge!(QUEUE_DEPTH, Unit::Count, "Messages waiting for or in work at a consumer.");
    describe_gauge!(CIRCUIT_BREAKER_STATE, "State of a circuit breaker: 0 closed, 1 half-open, 2 open.");
    describe_counter!(EVENTS_APPENDED, Unit::Count, "Events appended to the event store.");
    describe_counter!(RELAY_PUBLISHED, Unit::Count, "Events the relay has put on the stream.");
    describe_gauge!(RELAY_LAG, Unit::Count, "Events the relay has not published yet.");
    describe_gauge!(
        RELAY_STALLED,
        Unit::Seconds,
        "How long the relay has published nothing although events wait for it."
    );
    describe_gauge!(
        FEED_HORIZON_AGE,
        Unit::Seconds,
        "How long the oldest event has waited for an older open transaction."
    );
    describe_counter!(RELAY_REFILLED, Unit::Count, "Messages the stream had lost and that were put on it again.");
    describe_gauge!(PROJECTION_LAG, Unit::Count, "Events a projection has not seen yet.");
    describe_counter!(PROJECTION_PARKED, Unit::Count, "Events a projection put aside because it could not apply them.");
    describe_gauge!(PROJECTION_PARKED_NOW, Unit::Count, "Events a projection has put aside and not applied since.");
    describe_gauge!(SEAL_LAG_EVENTS, Unit::Count, "Events that no seal covers yet.");
    describe_gauge!(SEAL_LAG, Unit::Seconds, "How long the oldest event without a seal has been in the store.");
    describe_gauge!(SSE_STREAMS, Unit::Count, "Streams of captions that are open now.");
    describe_histogram!(STEP_DURATION, Unit::Seconds, "Time a step took for a piece of work that it ended.");
    describe_histogram!(TRANSCRIPTION_PHASE_DURATION, Unit::Seconds, "Time a phase of transcription took.");
    describe_counter!(STEP_ATTEMPTS, Unit::Count, "Attempts of a step.");
}

/// An HTTP request was answered. `endpoint` is the route, not the path.
pub fn http_request(service: &'static str, endpoint: &str, status: u16, took: Duration) {
    let endpoint = endpoint.to_owned();
    counter!(HTTP_REQUESTS, "service" => service, "endpoint" => endpoint.clone(), "status" => status.to_string())
        .increment(1);
    histogram!(HTTP_REQUEST_DURATION, "service" => service, "endpoint" => endpoint).record(took);
}

/// A job ended, `took` after its creation, as `completed`, `failed` or `cancelled`.
pub fn job_ended(outcome: &'static str, took: Duration) {
    histogram!(JOB_PROCESSING_DURATION, "outcome" => outcome).record(took);
}

/// `messages` of the consumer `queue` are waiting or being worked on.
pub fn queue_depth(queue: &str, messages: u64) {
    gauge!(QUEUE_DEPTH, "queue" => queue.to_owned()).set(as_gauge(messages));
}

/// The breaker that guards `dependency` within `service` is now in `state`.
pub fn circuit_breaker(service: &'static str, dependency: &str, state: Circuit) {
    let value = match state {
        Circuit::Closed => 0.0,
        Circuit::HalfOpen => 1.0,
        Circuit::Open => 2.0,
    };
    gauge!(CIRCUIT_BREAKER_STATE, "service" => service, "dependency" => dependency.to_owned()).set(value);
}

/// An event was appended.
pub fn event_appended(event_type: &str) {
    counter!(EVENTS_APPENDED, "event_type" => event_type.to_owned()).increment(1);
}

/// The relay put `events` on the stream.
pub fn relay_published(events: u64) {
    counter!(RELAY_PUBLISHED).increment(events);
}

/// The relay is `events` behind the store.
pub fn relay_lag(events: u64) {
    gauge!(RELAY_LAG).set(as_gauge(events));
}

/// The relay has published nothing for this time, although events wait for it.
pub fn relay_stalled(time: Duration) {
    gauge!(RELAY_STALLED).set(time.as_secs_f64());
}

/// The oldest event that is committed and not yet visible has waited so long.
pub fn feed_horizon_age(waiting: Duration) {
    gauge!(FEED_HORIZON_AGE).set(waiting.as_secs_f64());
}

/// The relay put `messages` on the stream that it had lost.
pub fn relay_refilled(messages: u64) {
    counter!(RELAY_REFILLED).increment(messages);
}

/// The projection is `events` behind the store.
pub fn projection_lag(projection: &'static str, events: u64) {
    gauge!(PROJECTION_LAG, "projection" => projection).set(as_gauge(events));
}

/// The projection put an event aside.
pub fn event_parked(projection: &'static str) {
    counter!(PROJECTION_PARKED, "projection" => projection).increment(1);
}

/// The projection has `events` put aside now.
pub fn parked_events(projection: &'static str, events: u64) {
    gauge!(PROJECTION_PARKED_NOW, "projection" => projection).set(as_gauge(events));
}

/// `events` have no seal yet; the oldest of them has been `waiting` for one.
pub fn seal_lag(events: u64, waiting: Duration) {
    gauge!(SEAL_LAG_EVENTS).set(as_gauge(events));
    gauge!(SEAL_LAG).set(waiting.as_secs_f64());
}

/// Streams of captions can be opened from now on; the gauge exists and is 0 until one is.
pub fn streams_begin() {
    gauge!(SSE_STREAMS).increment(0);
}

/// A stream of captions was opened.
pub fn stream_opened() {
    gauge!(SSE_STREAMS).increment(1);
}

/// A stream of captions has ended.
pub fn stream_closed() {
    gauge!(SSE_STREAMS).decrement(1);
}

/// A step ended a piece of work after `took`.
pub fn step_ended(step: &'static str, took: Duration) {
    histogram!(STEP_DURATION, "step" => step).record(took);
}

/// A phase of transcription, such as `encoder` or `decoder`, `took` this long for a batch of windows or a piece of audio.
pub fn transcription_phase(phase: &'static str, took: Duration) {
    histogram!(TRANSCRIPTION_PHASE_DURATION, "phase" => phase).record(took);
}

/// A step tried a piece of work, with `outcome` such as `done`, `retry` or `failed`.
pub fn step_attempt(step: &'static str, outcome: &'static str) {
    counter!(STEP_ATTEMPTS, "step" => step, "outcome" => outcome).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts stay below 2^53")]
fn as_gauge(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
