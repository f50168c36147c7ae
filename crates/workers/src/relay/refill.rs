//! Publishes again what the stream has lost and pending work needs: each such event, and nothing else.
//!
//! The checkpoint stays. The messages come after newer events in the stream; workers do not depend on the order, because
//! work that is already done is a no-op.

use async_nats::jetstream::publish::PublishAck;
use ytcaption_eventstore::{Cursor, RecordedEvent, begin, read_event};
use ytcaption_telemetry::metrics;

use super::guard::{Loss, StreamView};
use super::publish::Republished;
use super::{Relay, RelayError};

/// Messages published again at a time. Newer events are published in between, and workers empty a stream that is too
/// small for all pending work.
const PAGE: usize = 256;

impl Relay {
    /// Compares the stream with what it has acknowledged, and publishes again what is needed. Returns whether more is to be
    /// published, and the stream has room for it.
    pub(super) async fn refill_stream(&mut self) -> Result<bool, RelayError> {
        let view = self.guard.compare().await?;
        self.record_loss(&view).await?;
        self.publish_log.lose(&view.deleted).await?;
        let losses = self.publish_log.losses(view.first_sequence, PAGE).await?;
        self.publish_log.forget_finished(&losses).await?;
        let mut events = Vec::with_capacity(losses.needed.len());
        for lost in &losses.needed {
            let event = read_event(&self.database, "job", &lost.job_id, lost.sequence).await?;
            events.extend(
                event.map(|event| Republished { message_id: lost.new_message_id(event.metadata.event_id), event }),
            );
        }
        if events.is_empty() {
            return Ok(false);
        }
        let acks = self.publisher.publish_again(&events).await?;
        let events: Vec<RecordedEvent> = events.into_iter().map(|again| again.event).collect();
        self.record_published(&events, &acks, self.cursor).await?;
        tracing::warn!(
            messages = events.len(),
            "the stream had lost messages that unfinished jobs need; they were published again. If this goes on, the \
             stream is too small for all pending work: raise `max_bytes`, `max_age` or `max_msgs` of YTCAPTION_EVENTS"
        );
        metrics::relay_refilled(events.len() as u64);
        // A stream that drops its oldest messages is full: workers need time to make room.
        let is_full = self.first_sequence.replace(view.first_sequence) != Some(view.first_sequence);
        Ok(events.len() == PAGE && !is_full)
    }

    /// Records what is lost before anything else changes the stream, so that the next leader knows it too.
    async fn record_loss(&mut self, view: &StreamView) -> Result<(), RelayError> {
        let first = match view.loss {
            Loss::Nothing => return Ok(()),
            Loss::Everything => 0,
            Loss::From(first) => first,
        };
        let mut transaction = begin(self.database.pool()).await?;
        // The checkpoint does not move; this fails if another leader has moved it.
        self.checkpoints.advance(&mut *transaction, self.cursor, self.cursor).await?;
        self.publish_log.lose_from(&mut transaction, first).await?;
        self.guard.store(&mut transaction, view.state).await?;
        transaction.commit().await?;
        self.guard.committed(view.state);
        Ok(())
    }

    /// Moves the checkpoint to `to`, together with the state of the stream after these acks.
    pub(super) async fn record_published(
        &mut self,
        events: &[RecordedEvent],
        acks: &[PublishAck],
        to: Cursor,
    ) -> Result<(), RelayError> {
        let (stream, loss) = self.guard.after_acks(acks)?;
        let mut transaction = begin(self.database.pool()).await?;
        // If a crash of the database undoes this, the same events are published again, and JetStream drops them by their
        // ids: the commit need not wait for the disk.
        sqlx::query("SET LOCAL synchronous_commit = off").execute(&mut *transaction).await?;
        self.checkpoints.advance(&mut *transaction, self.cursor, to).await?;
        if let Loss::From(first) = loss {
            tracing::warn!(first, "the stream assigns sequences a second time: it has lost its last messages");
            self.publish_log.lose_from(&mut transaction, first).await?;
        }
        self.publish_log.record(&mut transaction, events, acks).await?;
        self.guard.store(&mut transaction, stream).await?;
        transaction.commit().await?;
        self.guard.committed(stream);
        self.cursor = to;
        Ok(())
    }
}
