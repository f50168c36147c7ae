//! The step `notify`: the webhook of a job that has ended is notified, by Standard Webhooks
//! (<https://www.standardwebhooks.com>).
//!
//! ```text
//! delivered or abandoned already? ─▶ next attempt due? ─▶ POST, signed ─▶ 2xx: RecordDelivered
//!                                                                          else: RecordFailure, and a retry by the schedule
//! ```
//!
//! An attempt is recorded only when it has ended, by the aggregate `Delivery`, whose id follows from the event's.

mod client;
mod schedule;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use tokio_util::sync::CancellationToken;
use url::Url;
use ytcaption_domain::JobId;
use ytcaption_domain::delivery::{
    Delivery, DeliveryCommand, DeliveryEvent, DeliveryStatus, JobEnd, Notification, delivery_id,
};
use ytcaption_domain::job::JobEvent;
use ytcaption_domain::personal::ERASED;
use ytcaption_domain::step::{NOTIFY, Step};
use ytcaption_domain::text::{self, MAX_MESSAGE_CHARS};
use ytcaption_eventstore::{DecodeError, RecordedEvent, read_event};
use ytcaption_telemetry::metrics;

pub use settings::WebhookSettings;

use super::commands::{STORE_DELAY, execute_with_retry, outcome_from, outcome_of_unreadable};
use crate::backoff::{as_ms, with_jitter};
use crate::breaker::{Breakers, host_of};
use crate::consumer::{self, Message, Outcome, StepWorker};
use crate::{StartError, WorkerDeps};
use client::{Client, Reply};

/// Sends webhooks until `shutdown`; the URL of a result begins with `public_url`.
///
/// # Errors
/// The secret is missing or malformed, or NATS cannot be used.
pub async fn run(
    deps: WorkerDeps,
    settings: WebhookSettings,
    public_url: Url,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    let concurrency = settings.concurrency;
    let worker = Arc::new(Notify {
        client: Client::new(&settings, deps.network.clone())?,
        deps: deps.clone(),
        settings,
        public_url,
        breakers: Breakers::new(NOTIFY.name, "webhook_receiver"),
    });
    Ok(consumer::run(worker, &deps, concurrency, shutdown).await?)
}

struct Notify {
    deps: WorkerDeps,
    settings: WebhookSettings,
    public_url: Url,
    client: Client,
    breakers: Breakers,
}

impl StepWorker for Notify {
    const STEP: Step = NOTIFY;

    async fn work(&self, message: Message) -> Outcome {
        let job_id = match message.job_id() {
            Ok(job_id) => job_id,
            Err(error) => return error.into(),
        };
        let Ok(sequence) = message.event.sequence.parse() else {
            return Outcome::Unreadable("the message does not name the sequence of its event".to_owned());
        };
        let (created, end) = match tokio::try_join!(self.event(job_id, 1), self.event(job_id, sequence)) {
            Ok(events) => events,
            Err(error) => return wait_for_database(&error),
        };
        let Some(end) = end.filter(|end| end.metadata.event_id == message.event.id) else {
            return Outcome::Unreadable("the event store does not have the event".to_owned());
        };
        let job_end = match end.decode::<JobEvent>().map(|events| events.iter().find_map(JobEnd::from_event)) {
            Ok(Some(job_end)) => job_end,
            Ok(None) => return Outcome::Unreadable("the event does not end a job".to_owned()),
            Err(error) => return outcome_of_unreadable(&error.source),
        };
        let created = match created.as_ref().map(Created::from_recorded).transpose() {
            Ok(created) => created.flatten(),
            Err(error) => return outcome_of_unreadable(&error.source),
        };
        let Some(created) = created else {
            return Outcome::Unreadable("the first event of the job does not create it".to_owned());
        };
        if message.deliveries == 1 && !message.republished {
            let took = (end.metadata.occurred_at - created.at).to_std().unwrap_or_default();
            metrics::job_ended(job_end.status(), took);
        }
        match created.webhook_url {
            None => Outcome::Done,
            Some(url) => self.deliver(job_id, &message, &url, &end, &job_end).await,
        }
    }
}

fn wait_for_database(error: &sqlx::Error) -> Outcome {
    tracing::warn!(%error, "the message waits for the database");
    Outcome::RetryAfter(STORE_DELAY)
}

/// What the worker needs of a job's first event.
struct Created {
    at: DateTime<Utc>,
    webhook_url: Option<Url>,
}

impl Created {
    fn from_recorded(event: &RecordedEvent) -> Result<Option<Self>, DecodeError> {
        Ok(event.decode()?.into_iter().find_map(|created| match created {
            JobEvent::JobCreated { webhook_url, .. } => Some(Self { at: event.metadata.occurred_at, webhook_url }),
            _ => None,
        }))
    }
}

impl Notify {
    /// An event of the job, by its sequence. The whole stream is not read: it holds all text of the job.
    async fn event(&self, job_id: JobId, sequence: i64) -> Result<Option<RecordedEvent>, sqlx::Error> {
        read_event(&self.deps.database, "job", &job_id.to_string(), sequence).await
    }

    async fn deliver(
        &self,
        job_id: JobId,
        message: &Message,
        url: &Url,
        end: &RecordedEvent,
        job_end: &JobEnd,
    ) -> Outcome {
        let id = delivery_id(message.event.id);
        let delivery = match self.deps.deliveries.load(id).await {
            Ok((delivery, _)) => delivery,
            Err(error) => return outcome_from(&error),
        };
        if delivery.status != DeliveryStatus::Pending {
            return Outcome::Done;
        }
        match self.time_until_due(&id.to_string(), &delivery).await {
            Ok(None) => {}
            Ok(Some(left)) => return Outcome::RetryAfter(left),
            Err(error) => return wait_for_database(&error),
        }
        let context = self.deps.context(NOTIFY.name, &message.event);
        let reply = if url.as_str() == ERASED {
            Reply::UrlErased
        } else {
            let body = Notification::new(job_id, end.metadata.occurred_at, job_end, &self.public_url);
            match self.post(url, message, context.traceparent.as_deref(), &body).await {
                Ok(reply) => reply,
                Err(delay) => return Outcome::RetryAfter(delay),
            }
        };
        let (command, retry_after) = self.record(job_id, url, &delivery, reply);
        match (execute_with_retry(&self.deps.deliveries, id, command, &context).await, retry_after) {
            (Err(error), _) => outcome_from(&error),
            (Ok(_), Some(delay)) => Outcome::RetryAfter(delay),
            (Ok(_), None) => Outcome::Done,
        }
    }

    /// Sends the notification; an error is the delay while the receiver is known to be unhealthy.
    async fn post(
        &self,
        url: &Url,
        message: &Message,
        traceparent: Option<&str>,
        body: &Notification,
    ) -> Result<Reply, Duration> {
        let host = host_of(url);
        if let Err(delay) = self.breakers.check(&host) {
            tracing::info!(host, retry_in_ms = as_ms(delay), "the receiver is unhealthy; the message waits");
            return Err(with_jitter(delay));
        }
        let reply = self.client.post(url, message.event.id, traceparent, body).await;
        if reply.is_unhealthy() {
            self.breakers.record_failure(&host, message.event.id);
        } else {
            self.breakers.record_success(&host);
        }
        Ok(reply)
    }

    /// The time until the next attempt is due; `None` if it is due. After a restart of NATS a message may come early.
    async fn time_until_due(&self, id: &str, delivery: &Delivery) -> Result<Option<Duration>, sqlx::Error> {
        if delivery.attempts == 0 {
            return Ok(None);
        }
        let last = i64::from(delivery.attempts);
        let Some(last) = read_event(&self.deps.database, "delivery", id, last).await? else { return Ok(None) };
        let ended = last.decode().ok().and_then(|mut events| events.pop());
        let Some(DeliveryEvent::WebhookAttemptFailed { retry_in_ms: Some(delay_ms), .. }) = ended else {
            return Ok(None);
        };
        Ok(schedule::time_left(last.metadata.occurred_at, delay_ms, crate::now()))
    }

    /// The command that records an attempt, and the delay until the next one; `None` if there is none.
    fn record(
        &self,
        job_id: JobId,
        url: &Url,
        delivery: &Delivery,
        reply: Reply,
    ) -> (DeliveryCommand, Option<Duration>) {
        let host = url.host_str().unwrap_or_default().to_owned();
        let (reason, is_final) = match reply {
            Reply::Accepted(status) => {
                tracing::info!(host, status = status.as_u16(), "the webhook was delivered");
                let http_status = status.as_u16();
                return (DeliveryCommand::RecordDelivered { job_id, host, http_status }, None);
            }
            Reply::HttpError(status) => (format!("it answered {status}"), status == StatusCode::GONE),
            Reply::AddressBlocked(reason) => (reason, true),
            Reply::UrlErased => ("the job was erased, and with it the URL of its webhook".to_owned(), true),
            Reply::NoResponse(reason) => (reason, false),
        };
        let reason = text::clean(&reason, MAX_MESSAGE_CHARS);
        let attempt = delivery.attempts + 1;
        let delay = schedule::delay_after(&self.settings.schedule, attempt).filter(|_| !is_final);
        tracing::warn!(host, reason, attempt, retry_in_ms = delay.map(as_ms), "an attempt to deliver a webhook failed");
        (DeliveryCommand::RecordFailure { job_id, host, reason, retry_in_ms: delay.map(as_ms) }, delay)
    }
}

#[cfg(test)]
mod tests;
