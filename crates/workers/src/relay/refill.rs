//! Puts back what the stream has lost and unfinished work still needs: each such event, and nothing else.
//!
//! The checkpoint stays where it is. What is put back stands behind newer events in the stream; workers do not mind,
//! because a step that is already done decides to nothing.

use async_nats::jetstream::publish::PublishAck;
use ytcaption_eventstore::{RecordedEvent, begin, read_event};
use ytcaption_telemetry::metrics;

use super::guard::{Loss, Seen};
use super::publish::Again;
use super::{Relay, RelayError};

/// Messages put back at a time. Between two times newer events are published too, and workers empty a stream that is too
/// small for all that waits.
const PAGE: usize = 256;

impl Relay {
    /// Looks whether the stream still has what it acknowledged; if not, puts back what is needed. Returns whether
    /// there is more to put back, and room for it.
    pub(super) async fn mend_stream(&mut self) -> Result<bool, RelayError> {
        let seen = self.guard.look().await?;
        self.note_loss(&seen).await?;
        self.publish_log.lose(&seen.deleted).await?;
        let losses = self.publish_log.losses(seen.first_sequence, PAGE).await?;
        self.publish_log.forget_finished(&losses).await?;
        let mut events = Vec::with_capacity(losses.needed.len());
        for lost in &losses.needed {
            let event = read_event(&self.database, "job", &lost.job_id, lost.sequence).await?;
            events.extend(event.map(|event| Again { message_id: lost.new_id(event.metadata.event_id), event }));
        }
        if events.is_empty() {
            return Ok(false);
        }
        let acks = self.publisher.publish_again(&events).await?;
        let events: Vec<RecordedEvent> = events.into_iter().map(|again| again.event).collect();
        self.write_down(&events, &acks, self.cursor).await?;
        tracing::warn!(
            messages = events.len(),
            "the stream had lost messages that unfinished jobs need; they are on it again. If this goes on, the stream \
             is too small for all that waits: see `max_bytes`, `max_age` and `max_msgs` of YTCAPTION_EVENTS"
        );
        metrics::relay_refilled(events.len() as u64);
        // A stream that lets its oldest messages go is full: workers need time to make room.
        let is_full = self.first_sequence.replace(seen.first_sequence) != Some(seen.first_sequence);
        Ok(events.len() == PAGE && !is_full)
    }

    /// Writes down what is lost before anything else happens to the stream, so that a successor knows it too.
    async fn note_loss(&mut self, seen: &Seen) -> Result<(), RelayError> {
        let first = match seen.loss {
            Loss::Nothing => return Ok(()),
            Loss::Everything => 0,
            Loss::From(first) => first,
        };
        let mut transaction = begin(&self.pool).await?;
        // Where it stands already: this fails if another leader has taken over.
        self.checkpoints.advance(&mut *transaction, self.cursor, self.cursor).await?;
        self.publish_log.lose_from(&mut transaction, first).await?;
        self.guard.remember(&mut transaction, seen.state).await?;
        transaction.commit().await?;
        self.guard.remembered(seen.state);
        Ok(())
    }

    /// Moves the checkpoint to `to`, together with what is known of the stream after these acks.
    pub(super) async fn write_down(
        &mut self,
        events: &[RecordedEvent],
        acks: &[PublishAck],
        to: ytcaption_eventstore::Cursor,
    ) -> Result<(), RelayError> {
        let (stream, loss) = self.guard.after_acks(acks)?;
        let mut transaction = begin(&self.pool).await?;
        // Should a crash of the database undo this, the same is published again and known by its id: no flush is needed.
        sqlx::query("SET LOCAL synchronous_commit = off").execute(&mut *transaction).await?;
        self.checkpoints.advance(&mut *transaction, self.cursor, to).await?;
        if let Loss::From(first) = loss {
            tracing::warn!(first, "the stream gives out numbers a second time: it has lost its end");
            self.publish_log.lose_from(&mut transaction, first).await?;
        }
        self.publish_log.record(&mut transaction, events, acks).await?;
        self.guard.remember(&mut transaction, stream).await?;
        transaction.commit().await?;
        self.guard.remembered(stream);
        self.cursor = to;
        Ok(())
    }
}
