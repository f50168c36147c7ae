//! What is done with events: one module a stage, and what they share.

pub mod download;
pub mod notify;
pub mod transcribe;

mod attempt;
mod commands;
mod fault;

pub use attempt::RetrySettings;
