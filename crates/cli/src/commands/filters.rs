//! Which events a command shows.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use clap::Args;
use uuid::Uuid;
use ytcaption_domain::JobId;
use ytcaption_eventstore::{Clock, EventQuery};

/// How times are written; part of the help.
pub(super) const TIMES: &str = "\
Times: 2026-01-31T14:05:00Z (RFC 3339), 2026-01-31 (midnight UTC), or 90s, 15m, 2h, 7d ago.";

/// The filters that `audit` and `events tail` share; every one given must hold.
#[derive(Debug, Args)]
pub(super) struct Filters {
    /// Events of this job, and of the delivery of its webhook
    #[arg(long, value_name = "ID")]
    job: Option<JobId>,
    /// Events whose actor begins so: client:, worker:download, or a whole name
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Events of this name; `ytcaption audit` shows which there are
    #[arg(long = "type", value_name = "EVENT")]
    event_type: Option<String>,
    /// Events of this kind of aggregate: job or delivery
    #[arg(long, value_name = "KIND")]
    aggregate: Option<String>,
    /// Events recorded at this time or later
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    since: Option<DateTime<Utc>>,
    /// Events recorded before this time
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    until: Option<DateTime<Utc>>,
    /// Events that followed from one request
    #[arg(long, value_name = "ID")]
    correlation: Option<Uuid>,
}

impl Filters {
    /// The query that the filters describe.
    pub(super) fn query(self) -> EventQuery {
        EventQuery {
            data_key: self.job.map(|job| job.0),
            aggregate_type: self.aggregate,
            event_type: self.event_type,
            actor: self.actor,
            since: self.since,
            until: self.until,
            correlation_id: self.correlation,
        }
    }
}

/// Reads a time as [`TIMES`] says.
pub(super) fn read_time(text: &str) -> Result<DateTime<Utc>, String> {
    time(Clock::system().now(), text)
}

/// The time that `text` names at the time `now`.
fn time(now: DateTime<Utc>, text: &str) -> Result<DateTime<Utc>, String> {
    let written = || DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    let day = || text.parse::<NaiveDate>().ok().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let ago = || now.checked_sub_signed(span(text)?);
    written().or_else(day).or_else(ago).ok_or_else(|| format!("it names no time. {TIMES}"))
}

fn span(text: &str) -> Option<TimeDelta> {
    let (unit_at, unit) = text.char_indices().next_back()?;
    let number: i64 = text[..unit_at].parse().ok().filter(|number| *number >= 0)?;
    match unit {
        's' => TimeDelta::try_seconds(number),
        'm' => TimeDelta::try_minutes(number),
        'h' => TimeDelta::try_hours(number),
        'd' => TimeDelta::try_days(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: DateTime<Utc> = "2026-01-31T14:05:00Z".parse().expect("a time");
        for (text, meant) in [
            ("2026-01-30T15:00:00.5+01:00", "2026-01-30T14:00:00.5Z"),
            ("2026-01-30", "2026-01-30T00:00:00Z"),
            ("90s", "2026-01-31T14:03:30Z"),
            ("15m", "2026-01-31T13:50:00Z"),
            ("2h", "2026-01-31T12:05:00Z"),
            ("7d", "2026-01-24T14:05:00Z"),
        ] {
            assert_eq!(time(now, text), Ok(meant.parse().expect("a time")), "{text}");
        }
        for text in ["", "h", "5", "-5m", "5w", "5 µ", "yesterday", "2026-13-01", "99999999999999d"] {
            assert!(time(now, text).is_err_and(|refusal| refusal.contains("RFC 3339")), "{text}");
        }
    }
}
