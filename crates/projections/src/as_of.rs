//! A requested point in a job's history.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};

/// A point in a job's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// Right after its event of this number, from 1.
    Version(u64),
    /// At this time, by the clock of the database.
    Time(DateTime<Utc>),
}

/// A text that is neither a version nor a time.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is neither a version (a number from 1) nor a time such as 2026-01-31T14:05:00Z")]
pub struct AsOfParseError(String);

impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => version.fmt(f),
            Self::Time(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

impl FromStr for AsOf {
    type Err = AsOfParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let version = || text.parse().ok().filter(|version| *version > 0).map(Self::Version);
        let time = || DateTime::parse_from_rfc3339(text).ok().map(|time| Self::Time(time.to_utc()));
        version().or_else(time).ok_or_else(|| AsOfParseError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_times_of_any_zone_are_understood() {
        let time = "2026-01-31T15:05:00.25+01:00".parse::<AsOf>().expect("a time");
        assert_eq!(time.to_string(), "2026-01-31T14:05:00.250Z");
        assert_eq!("7".parse::<AsOf>().expect("a version"), AsOf::Version(7));
    }

    #[test]
    fn anything_else_is_refused_with_what_is_expected() {
        for text in ["", "0", "-1", "1.5", "yesterday", "2026-01-31", "2026-02-30T00:00:00Z"] {
            let refusal = text.parse::<AsOf>().expect_err(text).to_string();
            assert!(refusal.contains("a number from 1") && refusal.contains(text), "{refusal}");
        }
    }
}
