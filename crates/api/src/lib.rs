//! The REST interface: commands in, captions out.
//!
//! [`router`] lists every route; [`openapi_json`] describes them. A request passes the middleware (`observe`, `guard`,
//! `problem`), is read into values of the domain (`transcriptions`), and becomes a command or a query. Everything that
//! goes wrong is an `ApiError`, answered as RFC 9457 problem.

mod audit;
mod caller;
mod conditional;
mod guard;
mod health;
mod hosts;
mod metrics_page;
mod models;
mod observe;
mod openapi;
mod page;
mod problem;
mod router;
mod serve;
mod settings;
mod state;
mod transcriptions;

#[cfg(test)]
mod tests;

pub use hosts::Hosts;
pub use models::LookForModels;
pub use router::{openapi_json, router};
pub use serve::serve;
pub use settings::ApiSettings;
pub use state::ApiState;
pub use transcriptions::stream::Streams;
