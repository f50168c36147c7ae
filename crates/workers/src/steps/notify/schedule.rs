//! When the delivery of a webhook is tried again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// A delay is lengthened by a random share of it, at most this one, so that receivers are not notified of many jobs at once.
const JITTER: f64 = 0.1;

/// The delay after this number of attempts; `None` if it was the last.
pub(super) fn delay_after(schedule: &[Duration], attempts: u32) -> Option<Duration> {
    let delay = schedule.get(usize::try_from(attempts.checked_sub(1)?).ok()?)?;
    Some(delay.mul_f64(1.0 + JITTER * fastrand::f64()))
}

/// What is left at `now` of a delay that began at `since`; `None` if it is over. Never more than the delay: a clock that was
/// set back since then says nothing, and an attempt that is early does no harm.
pub(super) fn time_left(since: DateTime<Utc>, delay_ms: u64, now: DateTime<Utc>) -> Option<Duration> {
    if now < since {
        return None;
    }
    let due = since.checked_add_signed(TimeDelta::milliseconds(i64::try_from(delay_ms).ok()?))?;
    // A little early is early enough: clocks and timers are not that exact.
    (due - now - TimeDelta::milliseconds(100)).to_std().ok().filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn delays_follow_the_schedule_and_end() {
        let schedule = [Duration::from_secs(5), Duration::from_mins(5)];
        let seconds = |attempts| delay_after(&schedule, attempts).map(|delay| delay.as_secs_f64());
        assert!((5.0..=5.5).contains(&seconds(1).unwrap()));
        assert!((300.0..=330.0).contains(&seconds(2).unwrap()));
        assert_eq!(seconds(3), None);
    }

    #[test]
    fn a_message_that_comes_early_waits_for_the_rest() {
        let since: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(time_left(since, 5000, since + TimeDelta::milliseconds(1000)), Some(Duration::from_millis(3900)));
        assert_eq!(time_left(since, 5000, since + TimeDelta::milliseconds(4950)), None);
        assert_eq!(time_left(since, 5000, since + TimeDelta::milliseconds(9000)), None);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_lengthen_a_delay() {
        let since: DateTime<Utc> = "2026-01-01T12:00:00Z".parse().unwrap();
        assert_eq!(time_left(since, 5000, since - TimeDelta::hours(1)), None);
        assert_eq!(time_left(since, 5000, since), Some(Duration::from_millis(4900)));
    }
}
