//! What is done with events: one module a stage, and what they share.

pub mod download;
pub mod notify;
#[cfg(feature = "transcribe")]
pub mod transcribe;

mod attempt;
mod commands;
mod error;
mod temp_dirs;

pub use attempt::RetrySettings;
