//! How long to wait before trying again.

use std::time::Duration;

/// Exponential backoff with full jitter: a random time between nothing and `first · 2^(attempt−1)`, at most `longest`.
///
/// Full jitter spreads the retries of many jobs that failed together:
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>.
pub(crate) fn full_jitter(attempt: u32, first: Duration, longest: Duration) -> Duration {
    ceiling(attempt, first, longest).mul_f64(fastrand::f64())
}

fn ceiling(attempt: u32, first: Duration, longest: Duration) -> Duration {
    let doublings = attempt.saturating_sub(1).min(31);
    first.saturating_mul(1 << doublings).min(longest)
}

/// A duration in whole milliseconds, as events hold it.
pub(crate) fn as_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A pause of `shortest` to half as much again, so that those who wait for the same thing do not come all at once.
pub(crate) fn with_jitter(shortest: Duration) -> Duration {
    shortest.mul_f64(1.0 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(2);
    const LONGEST: Duration = Duration::from_mins(1);

    #[test]
    fn the_ceiling_doubles_and_stops() {
        let seconds = |attempt| ceiling(attempt, FIRST, LONGEST).as_secs();
        assert_eq!([1, 2, 3, 4, 5, 6, 99].map(seconds), [2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn waits_spread_over_the_whole_range() {
        let waits: Vec<Duration> = (0..200).map(|_| full_jitter(3, FIRST, LONGEST)).collect();
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(8)));
        assert!(waits.iter().any(|wait| *wait < Duration::from_secs(2)));
        assert!(waits.iter().any(|wait| *wait > Duration::from_secs(6)));
    }
}
