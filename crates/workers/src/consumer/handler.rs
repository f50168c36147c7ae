//! One message in work: reported to NATS as in progress, and acknowledged by its outcome.

use std::time::{Duration, Instant};

use async_nats::jetstream;
use async_nats::jetstream::AckKind;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use ytcaption_telemetry::{context, metrics};

use super::ack::{acknowledge, report_progress};
use super::{AT_ONCE, Message, Outcome, PROGRESS_INTERVAL, StepWorker};

/// How long work may take, once it has to stop, to record that it is handed back.
const HAND_BACK_TIMEOUT: Duration = Duration::from_secs(2);

/// Works on a message of a queue and acknowledges it. When `abandon` is cancelled the work stops, and the message is
/// released for another worker.
pub(super) async fn handle<W: StepWorker>(
    worker: &W,
    queue: &str,
    message: jetstream::Message,
    abandon: CancellationToken,
) {
    let step = W::STEP.name;
    let parsed = match Message::from_jetstream(&message, abandon.clone()) {
        Ok(parsed) => parsed,
        Err(error) => {
            tracing::error!(step, subject = %message.subject, %error, "a message cannot be read; it is dropped");
            return acknowledge(&message, AckKind::Term).await;
        }
    };
    let span = tracing::info_span!(
        "work",
        otel.name = format!("{step} {}", parsed.event.kind),
        step,
        queue,
        job_id = parsed.job_id().ok().map(|id| id.to_string()),
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
            () = async { abandon.cancelled().await; sleep(HAND_BACK_TIMEOUT).await } => None,
            () = keep_in_progress(&message) => None,
        };
        let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        match outcome {
            Some(Outcome::Done) => {
                tracing::info!(elapsed_ms, "done");
                metrics::step_ended(step, begun.elapsed());
                metrics::step_attempt(step, "done");
                acknowledge(&message, AckKind::Ack).await;
            }
            Some(Outcome::RetryAfter(delay)) => {
                tracing::debug!(elapsed_ms, retry_in_ms = delay.as_millis(), "not done yet");
                metrics::step_attempt(step, "retry");
                acknowledge(&message, AckKind::Nak(Some(delay))).await;
            }
            // An answer would be taken for that of the other worker.
            Some(Outcome::Superseded) => metrics::step_attempt(step, "superseded"),
            Some(Outcome::Unreadable(reason)) => {
                tracing::error!(reason, "no worker can use this event; its message is dropped");
                metrics::step_attempt(step, "unreadable");
                acknowledge(&message, AckKind::Term).await;
            }
            None | Some(Outcome::HandedBack) => {
                tracing::warn!(elapsed_ms, "stopping: the unfinished work is released for another worker");
                metrics::step_attempt(step, "abandoned");
                acknowledge(&message, AckKind::Nak(Some(AT_ONCE))).await;
            }
        }
    }
    .instrument(span)
    .await;
}

/// Reports to NATS without end that the message is in progress.
async fn keep_in_progress(message: &jetstream::Message) {
    loop {
        sleep(PROGRESS_INTERVAL).await;
        report_progress(message).await;
    }
}
