//! The Delivery aggregate: telling one webhook address of one ended job.
//!
//! Its id follows from the event it tells of ([`delivery_id`]), so that a redelivered message finds the same delivery.

mod aggregate;
mod event;

pub use aggregate::{Delivery, DeliveryCommand, DeliveryRejection, DeliveryStatus};
pub use event::DeliveryEvent;

use uuid::Uuid;

/// Namespace of delivery ids (RFC 9562, version 5); chosen at random once.
const NAMESPACE: Uuid = Uuid::from_u128(0x8c9a_51b3_0d3f_4c58_9a0e_5a2a_6ff2_41d7);

/// The delivery that tells of an event.
pub fn delivery_id(event_id: Uuid) -> Uuid {
    Uuid::new_v5(&NAMESPACE, event_id.as_bytes())
}
