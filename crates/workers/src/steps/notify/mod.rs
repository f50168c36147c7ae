//! A job has ended → its webhook is told, by Standard Webhooks (<https://www.standardwebhooks.com>).
//!
//! ```text
//! delivery ended already? ─▶ address permitted? ─▶ POST, signed ─▶ 2xx: RecordDelivered
//!                                                       else: RecordFailure, and again after a while
//! ```

mod body;
mod client;
mod schedule;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use tokio_util::sync::CancellationToken;
use url::Url;
use ytcaption_domain::delivery::{Delivery, DeliveryCommand, DeliveryEvent, DeliveryStatus, delivery_id};
use ytcaption_domain::job::JobEvent;
use ytcaption_eventstore::{DecodeError, RecordedEvent, read_event};
use ytcaption_telemetry::metrics;

pub use settings::WebhookSettings;

use super::commands::{STORE_PAUSE, execute_with_retry, outcome_of, unreadable};
use crate::backoff::{as_ms, with_jitter};
use crate::breaker::{Breakers, host_of};
use crate::consumer::{self, Message, Outcome, Queue, StepWorker};
use crate::{StartError, WorkerDeps};
use body::{Body, JobEnd};
use client::{Client, Reply};

const QUEUES: [Queue; 1] = [Queue { consumer: "notify", weight: 1 }];

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
    let client = Client::new(&settings, deps.network.clone())?;
    let (nats, grace, concurrency) = (deps.nats.clone(), deps.grace, settings.concurrency);
    let breakers = Breakers::new(Notify::NAME, "webhook_receiver");
    let worker = Arc::new(Notify { deps, settings, public_url, client, breakers });
    consumer::run(worker, &QUEUES, concurrency, &nats, grace, shutdown).await?;
    Ok(())
}

struct Notify {
    deps: WorkerDeps,
    settings: WebhookSettings,
    public_url: Url,
    client: Client,
    breakers: Breakers,
}

impl StepWorker for Notify {
    const NAME: &'static str = "notify";

    async fn work(&self, message: Message) -> Outcome {
        let Ok(sequence) = message.event.sequence.parse() else {
            return Outcome::Unreadable("it does not say which event of the job it is".to_owned());
        };
        let (created, end) = match tokio::try_join!(self.event(&message, 1), self.event(&message, sequence)) {
            Ok(events) => events,
            Err(error) => return wait_for_database(&error),
        };
        let Some(end) = end.filter(|end| end.metadata.event_id == message.event.id) else {
            return Outcome::Unreadable("the event store has no such event".to_owned());
        };
        let ending = match end.decode::<JobEvent>().map(|events| events.iter().find_map(JobEnd::of)) {
            Ok(Some(ending)) => ending,
            Ok(None) => return Outcome::Unreadable("it does not end a job".to_owned()),
            Err(error) => return unreadable(&error.source),
        };
        let created = match created.as_ref().map(Created::read).transpose() {
            Ok(created) => created.flatten(),
            Err(error) => return unreadable(&error.source),
        };
        let Some(created) = created else {
            return Outcome::Unreadable("the job's first event does not create it".to_owned());
        };
        if message.deliveries == 1 && !message.republished {
            let took = (end.metadata.occurred_at - created.at).to_std().unwrap_or_default();
            metrics::job_ended(ending.status(), took);
        }
        match created.webhook_url {
            None => Outcome::Done,
            Some(url) => self.deliver(&message, &url, &end, &ending).await,
        }
    }
}

fn wait_for_database(error: &sqlx::Error) -> Outcome {
    tracing::warn!(%error, "the message waits for the database");
    Outcome::RetryAfter(STORE_PAUSE)
}

/// What the notifier needs of a job's first event.
struct Created {
    at: DateTime<Utc>,
    webhook_url: Option<Url>,
}

impl Created {
    fn read(event: &RecordedEvent) -> Result<Option<Self>, DecodeError> {
        Ok(event.decode()?.into_iter().find_map(|created| match created {
            JobEvent::JobCreated { webhook_url, .. } => Some(Self { at: event.metadata.occurred_at, webhook_url }),
            _ => None,
        }))
    }
}

impl Notify {
    /// An event of the job, by its place in the job's life. Those between the first and the last hold all its text.
    async fn event(&self, message: &Message, sequence: i64) -> Result<Option<RecordedEvent>, sqlx::Error> {
        read_event(&self.deps.database, "job", &message.job_id.to_string(), sequence).await
    }

    async fn deliver(&self, message: &Message, url: &Url, end: &RecordedEvent, ending: &JobEnd) -> Outcome {
        let id = delivery_id(message.event.id);
        let delivery = match self.deps.deliveries.load(id).await {
            Ok((delivery, _)) => delivery,
            Err(error) => return outcome_of(&error),
        };
        if delivery.status != DeliveryStatus::Pending {
            return Outcome::Done;
        }
        match self.not_yet_due(&id.to_string(), &delivery).await {
            Ok(None) => {}
            Ok(Some(left)) => return Outcome::RetryAfter(left),
            Err(error) => return wait_for_database(&error),
        }
        let host = host_of(url);
        if let Err(pause) = self.breakers.check(&host) {
            tracing::info!(host, again_in_ms = as_ms(pause), "the receiver is in trouble; the message waits");
            return Outcome::RetryAfter(with_jitter(pause));
        }
        let body = Body::new(message.job_id, end.metadata.occurred_at, ending, &self.public_url);
        let context = self.deps.context(Self::NAME, &message.event);
        let reply = self.client.post(url, message.event.id, context.traceparent.as_deref(), &body).await;
        self.breakers.record(&host, !reply.is_trouble());
        let (command, again) = self.record(message, url, &delivery, reply);
        match (execute_with_retry(&self.deps.deliveries, id, command, &context).await, again) {
            (Err(error), _) => outcome_of(&error),
            (Ok(_), Some(after)) => Outcome::RetryAfter(after),
            (Ok(_), None) => Outcome::Done,
        }
    }

    /// The time left until the next attempt is due. A message may come earlier, after a restart of NATS.
    async fn not_yet_due(&self, id: &str, delivery: &Delivery) -> Result<Option<Duration>, sqlx::Error> {
        if delivery.attempts == 0 {
            return Ok(None);
        }
        let last = i64::from(delivery.attempts);
        let Some(last) = read_event(&self.deps.database, "delivery", id, last).await? else { return Ok(None) };
        let ended = last.decode().ok().and_then(|mut events| events.pop());
        let Some(DeliveryEvent::WebhookAttemptFailed { retry_in_ms: Some(pause), .. }) = ended else {
            return Ok(None);
        };
        Ok(schedule::left(last.metadata.occurred_at, pause, crate::now()))
    }

    fn record(
        &self,
        message: &Message,
        url: &Url,
        delivery: &Delivery,
        reply: Reply,
    ) -> (DeliveryCommand, Option<Duration>) {
        let job_id = message.job_id;
        let host = url.host_str().unwrap_or_default().to_owned();
        let (reason, gone) = match reply {
            Reply::Accepted(status) => {
                tracing::info!(host, status = status.as_u16(), "the webhook was told");
                let http_status = status.as_u16();
                return (DeliveryCommand::RecordDelivered { job_id, host, http_status }, None);
            }
            Reply::HttpError(status) => (format!("it answered {status}"), status == StatusCode::GONE),
            Reply::AddressBlocked(reason) => (reason, true),
            Reply::NoResponse(reason) => (reason, false),
        };
        let pause = schedule::pause_after(&self.settings.schedule, delivery.attempts + 1).filter(|_| !gone);
        tracing::warn!(
            host,
            reason,
            attempt = delivery.attempts + 1,
            again_in_ms = pause.map(as_ms),
            "a webhook failed"
        );
        (DeliveryCommand::RecordFailure { job_id, host, reason, retry_in_ms: pause.map(as_ms) }, pause)
    }
}

#[cfg(test)]
mod tests;
