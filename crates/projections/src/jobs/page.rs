//! Pages of jobs, newest first.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeZone, Utc};
use uuid::Uuid;
use ytcaption_domain::JobId;

use super::JobView;

/// A page of jobs.
#[derive(Debug, Clone)]
pub struct JobPage {
    /// Newest first.
    pub jobs: Vec<JobView>,
    /// Cursor of the next page; `None` on the last.
    pub next: Option<PageCursor>,
}

/// The last job of a page: the next page begins after it. Opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageCursor {
    pub(super) created_at: DateTime<Utc>,
    pub(super) job_id: JobId,
}

/// A text that is not a cursor.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a cursor; use the one that the previous page gave")]
pub struct PageCursorError(String);

impl PageCursor {
    /// The cursor of the page that begins after this job.
    pub(super) fn after(view: &JobView) -> Self {
        Self { created_at: view.created_at, job_id: view.job_id }
    }
}

impl fmt::Display for PageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.created_at.timestamp_micros(), self.job_id.0.as_u128())
    }
}

impl FromStr for PageCursor {
    type Err = PageCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (micros, id) = text.split_once('-')?;
            Some(Self {
                created_at: Utc.timestamp_micros(i64::from_str_radix(micros, 16).ok()?).single()?,
                job_id: JobId(Uuid::from_u128(u128::from_str_radix(id, 16).ok()?)),
            })
        };
        parse().ok_or_else(|| PageCursorError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_client() {
        let cursor = PageCursor {
            created_at: "2026-01-02T03:04:05.678901Z".parse().expect("a valid time"),
            job_id: JobId(Uuid::from_u128(77)),
        };
        assert_eq!(cursor.to_string().parse::<PageCursor>().expect("its own text"), cursor);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "x", "-", "1-", "zz-1", "7fffffffffffffff-1"] {
            assert!(text.parse::<PageCursor>().is_err(), "{text}");
        }
    }
}
