//! What happens to a delivery.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::JobId;
use crate::event::EventFamily;

/// A fact in the life of a delivery. A webhook's URL may contain a secret, so only its host is repeated here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, EventFamily)]
#[event_family(aggregate = "delivery", data_key = job_id)]
#[serde(tag = "type")]
pub enum DeliveryEvent {
    /// The receiver accepted it.
    WebhookDelivered {
        /// The job whose end is delivered.
        job_id: JobId,
        /// Host of the receiver.
        #[personal]
        host: String,
        /// Counted from 1.
        attempt: u32,
        /// HTTP status the receiver answered with.
        http_status: u16,
    },
    /// An attempt failed.
    WebhookAttemptFailed {
        /// The job whose end is delivered.
        job_id: JobId,
        /// Host of the receiver.
        #[personal]
        host: String,
        /// Counted from 1.
        attempt: u32,
        /// Why, for the owner of the receiver.
        #[personal]
        reason: String,
        /// Delay until the next attempt, in milliseconds after this event; absent if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_in_ms: Option<u64>,
    },
    /// It will not be tried again.
    WebhookAbandoned {
        /// The job whose end is delivered.
        job_id: JobId,
        /// Host of the receiver.
        #[personal]
        host: String,
        /// Number of attempts made.
        attempts: u32,
    },
}

impl DeliveryEvent {
    /// The job whose end is delivered.
    pub const fn job_id(&self) -> JobId {
        match self {
            Self::WebhookDelivered { job_id, .. }
            | Self::WebhookAttemptFailed { job_id, .. }
            | Self::WebhookAbandoned { job_id, .. } => *job_id,
        }
    }
}
