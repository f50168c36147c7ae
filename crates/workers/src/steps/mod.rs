//! The workers of the steps of a job: one module for each entry of the step table ([`ytcaption_domain::step`]), and the
//! parts that they share.
//!
//! ```text
//! Message ─▶ StepWorker::work ─▶ command that starts an attempt ─▶ Attempt::run(work) ─▶ command with the result
//!                                                                       │ failed: the failure and the delay of the retry
//!                                                                       └ superseded, or the job has ended: stopped
//! ```

pub mod download;
pub mod notify;
#[cfg(feature = "transcribe")]
pub mod transcribe;

mod attempt;
mod commands;
mod error;
mod temp_dirs;

pub use attempt::RetrySettings;

#[cfg(test)]
mod toy_tests;
