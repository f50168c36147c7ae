//! How far a rebuild has come, for people and for programs.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::commands::bar::Bar;
use crate::commands::output::Output;

/// Least time between two lines of JSON.
const INTERVAL: Duration = Duration::from_millis(500);

/// A bar on standard error and, if requested, lines of JSON on standard output.
pub(super) struct Progress {
    bar: Bar,
    reported_at: Option<Instant>,
    json: bool,
}

impl Progress {
    pub(super) fn new(json: bool) -> Self {
        Self { bar: Bar::new("building"), reported_at: None, json }
    }

    /// Shows how many events have been read, of how many.
    pub(super) fn set(&mut self, (events, total): (u64, u64), out: &mut Output) -> anyhow::Result<()> {
        self.bar.set(events, total);
        if self.json && self.reported_at.is_none_or(|at| at.elapsed() > INTERVAL) {
            self.reported_at = Some(Instant::now());
            out.line(&json!({ "step": "building", "events": events, "of": total.max(events) }).to_string())?;
            out.flush()?;
        }
        Ok(())
    }

    pub(super) fn step(&self, step: &str) {
        self.bar.step(step);
    }

    pub(super) fn clear(&self) {
        self.bar.clear();
    }
}
