//! Delays between attempts.

use std::time::Duration;

use backon::{Backoff, BackoffBuilder as _, ExponentialBuilder};

/// Exponential backoff with full jitter, without end: before the n-th retry a random delay from 0 to `min · 2^(n−1)`, of
/// which `max` is the upper bound.
///
/// Full jitter spreads the retries of many jobs that failed together:
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>. (The jitter that backon offers only
/// lengthens delays.)
pub(crate) fn full_jitter(min: Duration, max: Duration) -> impl Backoff {
    exponential(min, max).map(|delay| delay.mul_f64(fastrand::f64()))
}

fn exponential(min: Duration, max: Duration) -> impl Backoff {
    ExponentialBuilder::default().with_min_delay(min).with_max_delay(max).with_factor(2.0).without_max_times().build()
}

/// A delay in whole milliseconds, as events hold it.
pub(crate) fn as_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A random delay of `shortest` to half as much again, so that workers that wait for the same thing do not retry all at
/// once.
pub(crate) fn with_jitter(shortest: Duration) -> Duration {
    shortest.mul_f64(1.0 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_secs(2);
    const MAX: Duration = Duration::from_mins(1);

    #[test]
    fn the_upper_bound_doubles_up_to_the_longest_delay() {
        let seconds: Vec<u64> = exponential(MIN, MAX).take(99).map(|delay| delay.as_secs()).collect();
        assert_eq!((&seconds[..6], seconds[98]), (&[2, 4, 8, 16, 32, 60][..], 60));
    }

    #[test]
    fn delays_are_distributed_over_the_whole_range() {
        let delays: Vec<Duration> = (0..200).filter_map(|_| full_jitter(MIN, MAX).nth(2)).collect();
        assert!(delays.len() == 200 && delays.iter().all(|delay| *delay <= Duration::from_secs(8)));
        assert!(delays.iter().any(|delay| *delay < Duration::from_secs(2)));
        assert!(delays.iter().any(|delay| *delay > Duration::from_secs(6)));
    }
}
