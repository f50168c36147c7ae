//! The projection of usage: how many jobs an account has created and ended, and how much media was transcribed, by day.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use cqrs_es::Aggregate;
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use utoipa::ToSchema;
use ytcaption_domain::AccountId;
use ytcaption_domain::job::{Job, JobEvent, JobResult};
use ytcaption_eventstore::Database;

use crate::event::{EventContent, TypedEvent};
use crate::projection::{Projection, Table};
use crate::streams::as_bigint;
use crate::{ProjectionError, RegisteredProjection};

/// What an account has used on one day. A job counts on the day of the event, so one that runs past midnight is created
/// on one day and completed on the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UsageDay {
    /// The day, in UTC.
    #[schema(example = "2026-01-31")]
    pub day: NaiveDate,
    /// Jobs that were accepted.
    #[schema(example = 12)]
    pub jobs_created: u64,
    /// Jobs that were completed.
    #[schema(example = 10)]
    pub jobs_completed: u64,
    /// Jobs that failed.
    #[schema(example = 1)]
    pub jobs_failed: u64,
    /// Jobs that were cancelled.
    #[schema(example = 1)]
    pub jobs_cancelled: u64,
    /// Length of the media of the completed jobs, in milliseconds.
    #[schema(example = 5_400_000)]
    pub media_ms: u64,
}

impl UsageDay {
    fn new(day: NaiveDate) -> Self {
        Self { day, jobs_created: 0, jobs_completed: 0, jobs_failed: 0, jobs_cancelled: 0, media_ms: 0 }
    }

    fn apply(&mut self, event: &JobEvent) {
        match event {
            JobEvent::JobCreated { .. } => self.jobs_created += 1,
            JobEvent::JobCompleted { result } => {
                let JobResult::Transcription { duration_ms, .. } = result;
                self.jobs_completed += 1;
                self.media_ms = self.media_ms.saturating_add(*duration_ms);
            }
            JobEvent::JobFailed { .. } => self.jobs_failed += 1,
            JobEvent::JobCancelled { .. } => self.jobs_cancelled += 1,
            JobEvent::DownloadStarted { .. }
            | JobEvent::DownloadProgressed { .. }
            | JobEvent::DownloadAttemptFailed { .. }
            | JobEvent::WarningRaised { .. }
            | JobEvent::AudioDownloaded { .. }
            | JobEvent::ChunksPlanned { .. }
            | JobEvent::ChunkScheduled { .. }
            | JobEvent::ChunkStarted { .. }
            | JobEvent::LanguageDetected { .. }
            | JobEvent::BeamSizeChosen { .. }
            | JobEvent::ChunkAttemptFailed { .. }
            | JobEvent::ChunkTranscribed { .. } => {}
        }
    }
}

/// The projection `usage`: what each account has used on each day.
pub const USAGE: RegisteredProjection = RegisteredProjection::new::<Usage>();

struct Usage;

impl Projection for Usage {
    const NAME: &'static str = "usage";
    const AGGREGATES: &'static [&'static str] = &[Job::TYPE];
    const TABLES: &'static [Table] = &[Table {
        name: "usage_days",
        key: "account || '/' || day",
        row: "to_jsonb(t) - 'generation'",
        is_shared: false,
    }];

    /// What a page of events adds.
    type Rows = BTreeMap<(String, NaiveDate), UsageDay>;

    async fn load(_: &mut PgConnection, _: i32, _: &[&TypedEvent<'_>]) -> Result<Self::Rows, sqlx::Error> {
        Ok(BTreeMap::new())
    }

    fn apply(rows: &mut Self::Rows, event: &TypedEvent<'_>) -> Result<(), ProjectionError> {
        match &event.content {
            EventContent::Job(_, events) => {
                let metadata = &event.recorded.metadata;
                let day = metadata.occurred_at.date_naive();
                let row = rows.entry((metadata.context.account.0.clone(), day)).or_insert_with(|| UsageDay::new(day));
                for event in events {
                    row.apply(event);
                }
                Ok(())
            }
            EventContent::Delivery(..) => Ok(()),
        }
    }

    async fn save(connection: &mut PgConnection, generation: i32, rows: Self::Rows) -> Result<(), sqlx::Error> {
        let rows: Vec<_> = rows.into_iter().filter(|(_, row)| *row != UsageDay::new(row.day)).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let counts =
            |count: fn(&UsageDay) -> u64| -> Vec<i64> { rows.iter().map(|(_, row)| as_bigint(count(row))).collect() };
        let accounts: Vec<&str> = rows.iter().map(|((account, _), _)| account.as_str()).collect();
        let days: Vec<NaiveDate> = rows.iter().map(|((_, day), _)| *day).collect();
        let save = sqlx::query!(
            "INSERT INTO usage_days (generation, account, day, jobs_created, jobs_completed, jobs_failed, jobs_cancelled,
                                     media_ms)
             SELECT $1::integer, * FROM UNNEST($2::text[], $3::date[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                                      $8::bigint[])
             ON CONFLICT (generation, account, day) DO UPDATE SET
                 jobs_created = usage_days.jobs_created + excluded.jobs_created,
                 jobs_completed = usage_days.jobs_completed + excluded.jobs_completed,
                 jobs_failed = usage_days.jobs_failed + excluded.jobs_failed,
                 jobs_cancelled = usage_days.jobs_cancelled + excluded.jobs_cancelled,
                 media_ms = usage_days.media_ms + excluded.media_ms",
            generation,
            accounts as Vec<&str>,
            &days,
            &counts(|row| row.jobs_created),
            &counts(|row| row.jobs_completed),
            &counts(|row| row.jobs_failed),
            &counts(|row| row.jobs_cancelled),
            &counts(|row| row.media_ms),
        );
        save.execute(connection).await.map(|_| ())
    }
}

/// Reads the usage of an account.
#[derive(Debug, Clone)]
pub struct UsageQueries {
    pool: PgPool,
}

impl UsageQueries {
    /// Queries over a database.
    pub fn new(database: &Database) -> Self {
        Self { pool: database.pool().clone() }
    }

    /// What an account has used on each day from `from` to `to`, both included, oldest first; days without any are left
    /// out. The projector may be some events behind.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn days(
        &self,
        account: &AccountId,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Vec<UsageDay>, sqlx::Error> {
        let rows = sqlx::query!(
            "SELECT day, jobs_created, jobs_completed, jobs_failed, jobs_cancelled, media_ms FROM usage_days
              WHERE generation = live_generation('usage') AND account = $1 AND day BETWEEN $2 AND $3 ORDER BY day",
            account.0,
            from,
            to,
        );
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        let days = rows.fetch_all(&self.pool).await?.into_iter().map(|row| UsageDay {
            day: row.day,
            jobs_created: count(row.jobs_created),
            jobs_completed: count(row.jobs_completed),
            jobs_failed: count(row.jobs_failed),
            jobs_cancelled: count(row.jobs_cancelled),
            media_ms: count(row.media_ms),
        });
        Ok(days.collect())
    }
}
