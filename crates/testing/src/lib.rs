//! The real servers that tests run against: a Postgres and nats-servers of their own, on loopback, gone with the
//! test process however it ends.

mod hub;
mod nats;
mod postgres;
mod process;

pub use hub::{Asked, Faults, ModelHub};
pub use nats::NatsServer;
pub use postgres::Postgres;
