//! The Delivery aggregate: one notification to one webhook that a job has ended.
//!
//! Its id follows from the event that it reports ([`delivery_id`]), so that a redelivered message finds the same delivery.

mod aggregate;
mod event;
mod notification;

pub use aggregate::{Delivery, DeliveryCommand, DeliveryRejection, DeliveryStatus};
pub use event::DeliveryEvent;
pub use notification::{JobEnd, Notification, NotificationData};

use uuid::Uuid;

/// Namespace of delivery ids (RFC 9562, version 5); a random UUID, fixed.
const NAMESPACE: Uuid = Uuid::from_u128(0x8c9a_51b3_0d3f_4c58_9a0e_5a2a_6ff2_41d7);

/// Id of the delivery that reports an event.
pub fn delivery_id(event_id: Uuid) -> Uuid {
    Uuid::new_v5(&NAMESPACE, event_id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_found_again_by_the_event_that_it_reports() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(delivery_id(one), delivery_id(one));
        assert_ne!(delivery_id(one), delivery_id(other));
        // Deliveries under this id are stored: with any other, a redelivered message would send its webhook again.
        assert_eq!(delivery_id(one).to_string(), "61c9d88d-d7ce-5a9b-bdba-f57d5b6598b9");
    }
}
