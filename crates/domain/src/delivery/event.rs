//! What happened to a delivery.

use cqrs_es::DomainEvent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::JobId;
use crate::upcast::{Upcaster, Versioned};

/// A fact in the life of a delivery. Addresses may carry secrets, so only the host is repeated here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum DeliveryEvent {
    /// The receiver took it.
    WebhookDelivered {
        /// The job told of.
        job_id: JobId,
        /// Host of the receiver.
        host: String,
        /// Counted from 1.
        attempt: u32,
        /// HTTP status the receiver answered with.
        http_status: u16,
    },
    /// An attempt failed.
    WebhookAttemptFailed {
        /// The job told of.
        job_id: JobId,
        /// Host of the receiver.
        host: String,
        /// Counted from 1.
        attempt: u32,
        /// Why, in words for the person who owns the receiver.
        reason: String,
        /// When it is tried again, in milliseconds after this event; never if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_in_ms: Option<u64>,
    },
    /// It will not be tried again.
    WebhookAbandoned {
        /// The job told of.
        job_id: JobId,
        /// Host of the receiver.
        host: String,
        /// How many attempts there were.
        attempts: u32,
    },
}

impl DeliveryEvent {
    /// The event's name, as stored and as it stands in subjects.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::WebhookDelivered { .. } => "WebhookDelivered",
            Self::WebhookAttemptFailed { .. } => "WebhookAttemptFailed",
            Self::WebhookAbandoned { .. } => "WebhookAbandoned",
        }
    }

    /// The job told of.
    pub const fn job_id(&self) -> JobId {
        match self {
            Self::WebhookDelivered { job_id, .. }
            | Self::WebhookAttemptFailed { job_id, .. }
            | Self::WebhookAbandoned { job_id, .. } => *job_id,
        }
    }
}

impl Versioned for DeliveryEvent {
    const CURRENT: &'static [(&'static str, u32)] =
        &[("WebhookDelivered", 1), ("WebhookAttemptFailed", 1), ("WebhookAbandoned", 1)];
    const UPCASTERS: &'static [Upcaster] = &[];
}

impl DomainEvent for DeliveryEvent {
    fn event_type(&self) -> String {
        self.name().to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
