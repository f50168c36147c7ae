//! Logs, traces and metrics, set up once per process.
//!
//! [`init`] starts JSON logs and, when configured, OpenTelemetry traces; [`context`] carries a
//! trace from one process to the next inside headers and event metadata; [`metrics`] holds every
//! metric's name, unit and labels.
//!
//! A span that works on a job has a field `job_id`; every log line below it then carries `job_id`
//! and `trace_id` at its top level.

pub mod context;
mod error;
mod json_lines;
pub mod metrics;
mod settings;
mod setup;
mod traces;

pub use error::TelemetryError;
pub use settings::{LogFormat, LogSettings};
pub use setup::{TelemetryGuard, init};
