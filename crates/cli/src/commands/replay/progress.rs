//! How far a rebuild has come, for people and for programs.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::commands::bar::Bar;
use crate::commands::output::Output;

/// Pause between two lines for programs.
const TELL: Duration = Duration::from_millis(500);

/// A bar on standard error and, if asked for, lines of JSON on standard output.
pub(super) struct Progress {
    bar: Bar,
    told: Option<Instant>,
    json: bool,
}

impl Progress {
    pub(super) fn new(json: bool) -> Self {
        Self { bar: Bar::new("building"), told: None, json }
    }

    /// Shows that so many of so many events are read.
    pub(super) fn set(&mut self, (events, of): (u64, u64), out: &mut Output) -> anyhow::Result<()> {
        self.bar.set(events, of);
        if self.json && self.told.is_none_or(|at| at.elapsed() > TELL) {
            self.told = Some(Instant::now());
            out.line(&json!({ "step": "building", "events": events, "of": of.max(events) }).to_string())?;
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
