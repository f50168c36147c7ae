//! Publishes a page of events, in order.

use std::future::IntoFuture as _;

use async_nats::Client;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::DirectGetErrorKind;
use ytcaption_eventstore::RecordedEvent;
use ytcaption_telemetry::context;

use super::RelayError;
use crate::cloud_event::{CloudEvent, REPUBLISHED, subject_of};

/// Upper bound of what a message needs beside its payload: subject and headers.
const OVERHEAD_BYTES: usize = 4096;

/// Publishes events.
pub(super) struct Publisher {
    jetstream: Context,
    client: Client,
}

/// An event to be published again.
pub(super) struct Republished {
    pub(super) event: RecordedEvent,
    /// Id of the message, by which JetStream recognises duplicates.
    pub(super) message_id: String,
}

impl Publisher {
    pub(super) fn new(jetstream: Context, client: Client) -> Self {
        Self { jetstream, client }
    }

    /// Publishes these events and waits for the acks.
    ///
    /// All are sent at once, each on condition that the one before it is the stream's last: if one is not stored,
    /// neither is any after it. Where that condition cannot hold, because some were stored by an earlier attempt,
    /// they are sent one by one.
    pub(super) async fn publish(&self, page: &[RecordedEvent]) -> Result<Vec<PublishAck>, RelayError> {
        match self.pipelined(page).await {
            Err(RelayError::Publish(error)) => {
                tracing::debug!(%error, events = page.len(), "publishing one by one");
                self.one_by_one(page).await
            }
            outcome => outcome,
        }
    }

    /// Publishes events that were published before, each under an id that JetStream does not know yet. It keeps ids for longer
    /// than it may keep messages, so the message that an ack calls a duplicate is looked up.
    pub(super) async fn publish_again(&self, events: &[Republished]) -> Result<Vec<PublishAck>, RelayError> {
        let mut acks: Vec<PublishAck> = vec![PublishAck::default(); events.len()];
        let mut left: Vec<(usize, String)> = events.iter().map(|again| again.message_id.clone()).enumerate().collect();
        while !left.is_empty() {
            let mut sent = Vec::with_capacity(left.len());
            for (n, id) in left {
                let event = &events[n].event;
                let message = self.message(event)?.message_id(&id).header(REPUBLISHED, "true");
                sent.push((n, self.jetstream.send_publish(subject_of(event), message).await?));
            }
            left = Vec::new();
            for (n, ack) in sent {
                let ack = ack.into_future().await?;
                if ack.duplicate && !self.is_stored(&ack).await? {
                    left.push((n, format!("{}.{}", events[n].event.metadata.event_id, ack.sequence)));
                }
                acks[n] = ack;
            }
        }
        Ok(acks)
    }

    async fn is_stored(&self, ack: &PublishAck) -> Result<bool, RelayError> {
        let not_described = |error: String| RelayError::Stream(error);
        let stream =
            self.jetstream.get_stream_no_info(&ack.stream).await.map_err(|error| not_described(error.to_string()))?;
        match stream.direct_get(ack.sequence).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(false),
            Err(error) => Err(not_described(error.to_string())),
        }
    }

    async fn pipelined(&self, page: &[RecordedEvent]) -> Result<Vec<PublishAck>, RelayError> {
        let mut sent = Vec::with_capacity(page.len());
        let mut previous: Option<String> = None;
        for event in page {
            let mut message = self.message(event)?;
            if let Some(previous) = &previous {
                message = message.expected_last_message_id(previous);
            }
            sent.push(self.jetstream.send_publish(subject_of(event), message).await?);
            previous = Some(event.metadata.event_id.to_string());
        }
        let mut acks = Vec::with_capacity(sent.len());
        for ack in sent {
            acks.push(ack.into_future().await?);
        }
        Ok(acks)
    }

    async fn one_by_one(&self, page: &[RecordedEvent]) -> Result<Vec<PublishAck>, RelayError> {
        let mut acks = Vec::with_capacity(page.len());
        for event in page {
            let sent: Result<_, PublishError> =
                self.jetstream.send_publish(subject_of(event), self.message(event)?).await;
            acks.push(sent?.into_future().await?);
        }
        Ok(acks)
    }

    /// The event as a message; without its data if that is more than the server accepts. No worker needs the data of a long
    /// `ChunkTranscribed`; other readers find it in the event store by the event's id.
    fn message(&self, event: &RecordedEvent) -> Result<PublishMessage, RelayError> {
        let cloud_event = CloudEvent::from_recorded(event);
        let mut payload = serde_json::to_vec(&cloud_event)?;
        if payload.len() + OVERHEAD_BYTES > self.client.max_payload() {
            payload = serde_json::to_vec(&cloud_event.without_data())?;
        }
        let message = PublishMessage::build().payload(payload.into()).message_id(event.metadata.event_id.to_string());
        Ok(match traceparent(event) {
            Some(traceparent) => message.header(context::TRACEPARENT, traceparent.as_str()),
            None => message,
        })
    }
}

/// The trace the event belongs to, seen from a span of the relay.
fn traceparent(event: &RecordedEvent) -> Option<String> {
    let parent = event.metadata.context.traceparent.as_deref()?;
    let span = tracing::info_span!(
        "relay",
        otel.name = format!("relay {}", event.event_type),
        event_id = %event.metadata.event_id,
        aggregate_id = event.aggregate_id,
    );
    context::set_parent(&span, parent);
    context::traceparent_of(&span).or_else(|| Some(parent.to_owned()))
}
