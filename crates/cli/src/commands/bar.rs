//! The progress bar on standard error; on anything but a terminal, a line per step instead.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A hundred steps are as fine as a terminal shows.
const PERCENT: u64 = 100;
/// How often the bar's clock moves without news.
const TICK: Duration = Duration::from_millis(200);

/// A progress bar, in percent.
pub(super) struct Bar {
    bar: ProgressBar,
    last_step: Mutex<String>,
}

impl Bar {
    pub(super) fn new(step: &str) -> Self {
        let bar = ProgressBar::new(PERCENT);
        let style = ProgressStyle::with_template("{msg:14} {wide_bar} {percent:>3} % {elapsed_precise}")
            .expect("a constant template");
        bar.set_style(style);
        bar.enable_steady_tick(TICK);
        let bar = Self { bar, last_step: Mutex::default() };
        bar.step(step);
        bar
    }

    /// Says what is being done now.
    pub(super) fn step(&self, step: &str) {
        let mut last = self.last_step.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == step {
            return;
        }
        step.clone_into(&mut last);
        self.bar.set_message(step.to_owned());
        if !std::io::stderr().is_terminal() {
            eprintln!("{step}");
        }
    }

    /// Shows that `done` of `total` is done.
    pub(super) fn set(&self, done: u64, total: u64) {
        self.bar.set_position((done * PERCENT).checked_div(total).unwrap_or(0).min(PERCENT));
    }

    /// Writes a line to standard output; the bar makes room for it.
    ///
    /// # Errors
    /// Standard error was closed.
    pub(super) fn print(&self, line: &str) -> std::io::Result<()> {
        self.bar.suspend(|| writeln!(std::io::stdout(), "{line}"))
    }

    /// Writes a line for the person to standard error; the bar makes room for it.
    pub(super) fn warn(&self, line: &str) {
        self.bar.suspend(|| eprintln!("ytcaption: {line}"));
    }

    /// Leaves the terminal as if there had been no bar.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
