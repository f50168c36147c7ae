//! What is done with events: one module a stage, and what they share.

pub mod download;
pub mod notify;
pub mod transcribe;

mod attempt;
mod commands;
mod fault;
mod leftovers;

pub use attempt::RetrySettings;
