//! Answers to JetStream, given only for the message that was delivered.
//!
//! JetStream knows a message by its sequence in the stream. A stream that was created again, or that has gone back to an
//! older copy of its data, assigns its sequences a second time, and an answer would be taken for one about the new message
//! of that sequence: a message that another worker has at this moment would be acknowledged. So the stored message is
//! compared first. A message that is no longer in the stream may be answered: no other has its sequence.

use async_nats::jetstream::context::GetStreamError;
use async_nats::jetstream::stream::{DirectGetError, DirectGetErrorKind};
use async_nats::jetstream::{AckKind, Message};

/// Whether the message was replaced is not known.
#[derive(Debug, thiserror::Error)]
enum CompareError {
    #[error("the message does not say where it comes from: {0}")]
    Unknown(async_nats::Error),
    #[error("the stream of the message does not have a valid name: {0}")]
    Stream(#[from] GetStreamError),
    #[error("the stream does not answer: {0}")]
    Get(#[from] DirectGetError),
}

/// Answers, and waits until the server has the answer. An answer that is lost does no harm: the message is delivered
/// again, and work that is already done is a no-op.
pub(super) async fn acknowledge(message: &Message, kind: AckKind) {
    match was_replaced(message).await {
        Ok(false) => {}
        Ok(true) => return tracing::warn!("the stream was replaced during the work; the message is not acknowledged"),
        Err(error) => return tracing::warn!(%error, "the message is not acknowledged; it will be delivered again"),
    }
    if let Err(error) = message.double_ack_with(kind).await {
        tracing::warn!(%error, "NATS did not confirm the acknowledgement; the message will be delivered again");
    }
}

/// Reports to NATS that the message is in progress.
pub(super) async fn report_progress(message: &Message) {
    let outcome = match was_replaced(message).await {
        Ok(false) => message.ack_with(AckKind::Progress).await,
        Ok(true) => return,
        Err(error) => Err(error.into()),
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "progress was not reported to NATS");
    }
}

/// Whether another message has this one's sequence by now. No two messages of a stream were stored in the same nanosecond.
async fn was_replaced(message: &Message) -> Result<bool, CompareError> {
    let delivered = message.info().map_err(CompareError::Unknown)?;
    let stream = message.context.get_stream_no_info(delivered.stream).await?;
    match stream.direct_get_builder().sequence(delivered.stream_sequence).send().await {
        Ok(stored) => Ok(stored.time != delivered.published),
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}
