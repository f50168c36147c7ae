//! Answers to JetStream, given only for the message that was delivered.
//!
//! JetStream knows a message by its number. A stream that was created again, or has gone back to an older copy of its data,
//! gives its numbers out a second time, and an answer would be taken for one about whatever has the number now: a message
//! that another worker has at this moment would be gone with it. So the stream is asked first what lies there. A message
//! that does not lie in the stream any more may be answered: nothing else has its number.

use async_nats::jetstream::context::GetStreamError;
use async_nats::jetstream::stream::{DirectGetError, DirectGetErrorKind};
use async_nats::jetstream::{AckKind, Message};

/// Why it is not known what lies at a message's number.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error("the message does not say where it comes from: {0}")]
    Unknown(async_nats::Error),
    #[error("the stream of the message has no proper name: {0}")]
    Stream(#[from] GetStreamError),
    #[error("the stream was not asked: {0}")]
    Asked(#[from] DirectGetError),
}

/// Answers and waits until the server has it. An answer that is lost does no harm: the message comes again, and what
/// is done already decides to nothing.
pub(super) async fn answer(message: &Message, kind: AckKind) {
    match was_replaced(message).await {
        Ok(false) => {}
        Ok(true) => return tracing::warn!("the stream was replaced during the work; the message is not answered"),
        Err(error) => return tracing::warn!(%error, "NATS got no answer; the message will come again"),
    }
    if let Err(error) = message.double_ack_with(kind).await {
        tracing::warn!(%error, "NATS did not take the answer; the message will come again");
    }
}

/// Tells NATS that the work goes on.
pub(super) async fn report_progress(message: &Message) {
    let outcome = match was_replaced(message).await {
        Ok(false) => message.ack_with(AckKind::Progress).await,
        Ok(true) => return,
        Err(error) => Err(error.into()),
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "NATS was not told that the work goes on");
    }
}

/// Whether another message has this one's number by now. No two messages of a stream were stored in the same nanosecond.
async fn was_replaced(message: &Message) -> Result<bool, LookError> {
    let delivered = message.info().map_err(LookError::Unknown)?;
    let stream = message.context.get_stream_no_info(delivered.stream).await?;
    match stream.direct_get_builder().sequence(delivered.stream_sequence).send().await {
        Ok(stored) => Ok(stored.time != delivered.published),
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}
