//! One message at work: kept alive at NATS, answered in the end.

use std::time::{Duration, Instant};

use async_nats::jetstream;
use async_nats::jetstream::AckKind;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use ytcaption_telemetry::{context, metrics};

use super::ack::{answer, report_progress};
use super::{Outcome, PROGRESS, Queue, StepWorker, read};

/// When work that is handed back is to be delivered again. Unlike none, a delay is written down by the server, so that
/// it holds even if the server is restarted before anybody asks for the message.
const AT_ONCE: Duration = Duration::from_millis(1);

/// Works on a message and answers it. When `abandon` is cancelled the work stops and the message is handed back, for
/// another worker to take it at once.
pub(super) async fn handle<S: StepWorker>(
    worker: &S,
    queue: Queue,
    message: jetstream::Message,
    abandon: CancellationToken,
) {
    let parsed = match read(&message) {
        Ok(parsed) => parsed,
        Err(reason) => {
            tracing::error!(step = S::NAME, subject = %message.subject, reason, "a message cannot be read; it is dropped");
            return answer(&message, AckKind::Term).await;
        }
    };
    let event_type = &parsed.event.kind;
    let span = tracing::info_span!(
        "work",
        otel.name = format!("{} {event_type}", S::NAME),
        step = S::NAME,
        queue = queue.consumer,
        job_id = %parsed.job_id,
        event_id = %parsed.event.id,
        deliveries = parsed.deliveries,
    );
    let header = message.headers.as_ref().and_then(|headers| headers.get(context::TRACEPARENT));
    if let Some(parent) = header.map(async_nats::HeaderValue::as_str).or(parsed.event.traceparent.as_deref()) {
        context::set_parent(&span, parent);
    }
    async {
        let begun = Instant::now();
        let outcome = tokio::select! {
            outcome = worker.work(parsed) => Some(outcome),
            () = abandon.cancelled() => None,
            () = keep_alive(&message) => None,
        };
        let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        match outcome {
            Some(Outcome::Done) => {
                tracing::info!(elapsed_ms, "done");
                metrics::step_ended(S::NAME, begun.elapsed());
                metrics::step_attempt(S::NAME, "done");
                answer(&message, AckKind::Ack).await;
            }
            Some(Outcome::RetryAfter(after)) => {
                tracing::debug!(elapsed_ms, again_in_ms = after.as_millis(), "not done yet");
                metrics::step_attempt(S::NAME, "again");
                answer(&message, AckKind::Nak(Some(after))).await;
            }
            // An answer now would be taken for the other worker's.
            Some(Outcome::Superseded) => metrics::step_attempt(S::NAME, "overtaken"),
            Some(Outcome::Unreadable(reason)) => {
                tracing::error!(reason, "an event cannot be worked on; it is dropped");
                metrics::step_attempt(S::NAME, "unreadable");
                answer(&message, AckKind::Term).await;
            }
            None => {
                tracing::warn!(elapsed_ms, "stopping: the work is handed back unfinished");
                metrics::step_attempt(S::NAME, "abandoned");
                answer(&message, AckKind::Nak(Some(AT_ONCE))).await;
            }
        }
    }
    .instrument(span)
    .await;
}

/// Tells NATS for ever that the work goes on.
async fn keep_alive(message: &jetstream::Message) {
    loop {
        tokio::time::sleep(PROGRESS).await;
        report_progress(message).await;
    }
}
