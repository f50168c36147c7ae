//! The REST interface: translates HTTP to the use cases of `ytcaption-application`, and their results back.
//!
//! [`router`] lists every route; [`openapi_json`] describes them. A request passes the middleware (`observe`, `guard`,
//! `problem`); its handler makes a principal and a typed request of it, calls a use case and renders the result. Every
//! error is an `ApiError`, answered as an RFC 9457 problem.

mod audit;
mod base_path;
mod clients;
mod conditional;
mod forwarded;
mod guard;
mod hosts;
mod models;
mod observe;
mod openapi;
mod operations;
mod page;
mod parameters;
mod prefer;
mod principal;
mod problem;
mod router;
mod serve;
mod settings;
mod state;
mod transcriptions;
mod usage;

#[cfg(test)]
mod tests;

pub use base_path::is_public_url;
pub use forwarded::{ForwardedHeaders, InvalidProxy, TrustedProxies};
pub use hosts::Hosts;
pub use models::ModelLister;
pub use router::{openapi_json, router};
pub use serve::{ConnectionLimits, serve};
pub use settings::ApiSettings;
pub use state::ApiState;
pub use transcriptions::stream::StreamPermits;
