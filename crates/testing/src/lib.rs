//! The real servers that tests run against: a Postgres and nats-servers of their own, on loopback, gone with the
//! test process however it ends; and audio for them ([`sound`]).

mod hub;
mod nats;
mod postgres;
mod process;
mod raw_events;
pub mod sound;

/// The master key that tests encrypt personal content with, in base64.
pub const MASTER_KEY: &str = "dGVzdHMgb25seTogMzIgYnl0ZXMgb2Yga2V5IC4uLi4=";

pub use hub::{Failures, HubRequest, ModelHub};
pub use nats::NatsServer;
pub use postgres::Postgres;
pub use raw_events::{RawEvent, aggregate_count};
