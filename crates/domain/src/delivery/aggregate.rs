//! A delivery's state, commands and decisions.

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

use super::DeliveryEvent;
use crate::{JobId, Routed};

/// The status of a delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// Not yet accepted by the receiver.
    #[default]
    Pending,
    /// Accepted by the receiver.
    Delivered,
    /// Not tried any more.
    Abandoned,
}

/// The aggregate's state. The default is a delivery without an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its status.
    pub status: DeliveryStatus,
    /// Number of attempts made.
    pub attempts: u32,
}

/// The outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryCommand {
    /// The receiver accepted it.
    RecordDelivered {
        /// The job whose end is delivered.
        job_id: JobId,
        /// Host of the receiver.
        host: String,
        /// HTTP status of its response.
        http_status: u16,
    },
    /// The attempt failed.
    RecordFailure {
        /// The job whose end is delivered.
        job_id: JobId,
        /// Host of the receiver.
        host: String,
        /// Why.
        reason: String,
        /// Delay until the next attempt, in milliseconds from now; absent if there is none.
        retry_in_ms: Option<u64>,
    },
}

/// A delivery rejects nothing: a repeated command is a no-op.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryRejection {}

fn decide(delivery: &Delivery, command: DeliveryCommand) -> Vec<DeliveryEvent> {
    if delivery.status != DeliveryStatus::Pending {
        return vec![];
    }
    let attempt = delivery.attempts + 1;
    match command {
        DeliveryCommand::RecordDelivered { job_id, host, http_status } => {
            vec![DeliveryEvent::WebhookDelivered { job_id, host, attempt, http_status }]
        }
        DeliveryCommand::RecordFailure { job_id, host, reason, retry_in_ms } => {
            let failed =
                DeliveryEvent::WebhookAttemptFailed { job_id, host: host.clone(), attempt, reason, retry_in_ms };
            let abandoned =
                retry_in_ms.is_none().then_some(DeliveryEvent::WebhookAbandoned { job_id, host, attempts: attempt });
            std::iter::once(failed).chain(abandoned).collect()
        }
    }
}

fn evolve(delivery: &mut Delivery, event: &DeliveryEvent) {
    match event {
        DeliveryEvent::WebhookDelivered { attempt, .. } => {
            delivery.status = DeliveryStatus::Delivered;
            delivery.attempts = *attempt;
        }
        DeliveryEvent::WebhookAttemptFailed { attempt, .. } => delivery.attempts = *attempt,
        DeliveryEvent::WebhookAbandoned { .. } => delivery.status = DeliveryStatus::Abandoned,
    }
}

impl Aggregate for Delivery {
    const TYPE: &'static str = "delivery";
    type Command = DeliveryCommand;
    type Event = DeliveryEvent;
    type Error = DeliveryRejection;
    type Services = ();

    async fn handle(
        &mut self,
        command: DeliveryCommand,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), DeliveryRejection> {
        for event in decide(self, command) {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: DeliveryEvent) {
        evolve(self, &event);
    }
}

impl Routed for Delivery {
    fn route(&self) -> &'static str {
        "webhook"
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use uuid::Uuid;

    use super::*;

    fn failed(retry_in_ms: Option<u64>) -> DeliveryCommand {
        DeliveryCommand::RecordFailure {
            job_id: JobId(Uuid::nil()),
            host: "example.org".into(),
            reason: "503".into(),
            retry_in_ms,
        }
    }

    fn delivered() -> DeliveryCommand {
        DeliveryCommand::RecordDelivered { job_id: JobId(Uuid::nil()), host: "example.org".into(), http_status: 204 }
    }

    fn after(commands: impl IntoIterator<Item = DeliveryCommand>) -> (Delivery, Vec<&'static str>) {
        let (mut delivery, sink) = (Delivery::default(), EventSink::default());
        for command in commands {
            block_on(delivery.handle(command, &(), &sink)).expect("no command is rejected");
        }
        (delivery, block_on(sink.collect()).iter().map(|event| event.event().name).collect())
    }

    #[test]
    fn a_delivery_is_counted_once_however_often_it_is_reported() {
        let (delivery, names) = after([failed(Some(100)), delivered(), delivered(), failed(None)]);
        assert_eq!(names, ["WebhookAttemptFailed", "WebhookDelivered"]);
        assert_eq!(delivery, Delivery { status: DeliveryStatus::Delivered, attempts: 2 });
    }

    #[test]
    fn deliveries_have_a_route_of_their_own() {
        assert_eq!(Delivery::default().route(), "webhook");
    }

    #[test]
    fn a_failure_without_a_retry_abandons_it() {
        let (delivery, names) = after([failed(None), delivered()]);
        assert_eq!(names, ["WebhookAttemptFailed", "WebhookAbandoned"]);
        assert_eq!(delivery.status, DeliveryStatus::Abandoned);
    }
}
