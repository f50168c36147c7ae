//! Where the time of a transcription went.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ytcaption_whisper::timing::{self, Step};

/// Adds up how long each step takes.
pub(super) struct Timings {
    begun: Instant,
    sums: Arc<Mutex<[Duration; Step::ALL.len()]>>,
}

impl Timings {
    /// Begins to measure.
    pub(super) fn start() -> Self {
        let sums = Arc::new(Mutex::default());
        let observed = Arc::clone(&sums);
        timing::observe(move |step, took| {
            let mut sums: std::sync::MutexGuard<'_, [Duration; Step::ALL.len()]> =
                observed.lock().unwrap_or_else(PoisonError::into_inner);
            sums[step as usize] += took;
        });
        Self { begun: Instant::now(), sums }
    }

    /// A line for each step: its name, seconds over all threads, and its share of all steps.
    pub(super) fn table(&self) -> String {
        let sums = *self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        table(&sums, self.begun.elapsed())
    }
}

fn table(sums: &[Duration], elapsed: Duration) -> String {
    let all: f64 = sums.iter().map(Duration::as_secs_f64).sum();
    let mut lines = String::new();
    for (step, sum) in Step::ALL.into_iter().zip(sums) {
        let seconds = sum.as_secs_f64();
        let share = if all > 0.0 { 100.0 * seconds / all } else { 0.0 };
        let _ = writeln!(lines, "{:10} {seconds:9.3} s {share:5.1} %", step.name());
    }
    let _ = writeln!(lines, "{:10} {all:9.3} s in {:.3} s", "all", elapsed.as_secs_f64());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_steps() {
        let mut sums = [Duration::ZERO; Step::ALL.len()];
        sums[Step::Encoder as usize] = Duration::from_millis(1_500);
        sums[Step::Decoder as usize] = Duration::from_millis(4_500);
        let table = table(&sums, Duration::from_secs(3));
        assert!(table.contains("encoder        1.500 s  25.0 %\n"), "{table}");
        assert!(table.contains("decoder        4.500 s  75.0 %\n"), "{table}");
        assert!(table.ends_with("all            6.000 s in 3.000 s\n"), "{table}");
    }

    #[test]
    fn nothing_took_no_time() {
        assert!(
            super::table(&[Duration::ZERO; Step::ALL.len()], Duration::ZERO).contains("audio          0.000 s   0.0 %")
        );
    }
}
