//! The projection of jobs: a row a job as clients see it, and the text of its chunks.

mod page;
mod queries;
pub(crate) mod rows;
mod transcript;
mod view;

use std::collections::BTreeMap;

use cqrs_es::Aggregate;
use sqlx::PgConnection;
use ytcaption_domain::JobId;
use ytcaption_domain::delivery::Delivery;
use ytcaption_domain::job::Job;

use crate::event::{EventContent, TypedEvent};
use crate::projection::{Projection, Table};
use crate::{ProjectionError, RegisteredProjection};

pub use page::{JobPage, PageCursor, PageCursorError};
pub use queries::{JobFilter, JobQueries, JobSnapshot, QueryError};
pub use view::JobView;

pub(crate) use transcript::{Chunks, assemble, chunks};

/// The projection `jobs`: what clients see of each job, and its text.
pub const JOBS: RegisteredProjection = RegisteredProjection::new::<Jobs>();

struct Jobs;

/// The jobs of a page of events, and the chunks that it completes.
#[derive(Default)]
struct JobRows {
    views: BTreeMap<JobId, JobView>,
    chunks: BTreeMap<JobId, Chunks>,
}

impl Projection for Jobs {
    const NAME: &'static str = "jobs";
    const AGGREGATES: &'static [&'static str] = &[Job::TYPE, Delivery::TYPE];
    const TABLES: &'static [Table] = &[
        Table {
            name: "jobs",
            key: "job_id::text",
            row: "to_jsonb(t) - '{generation,view}'::text[] || t.view",
            is_shared: false,
        },
        Table {
            name: "transcript_chunks",
            key: "job_id::text || '/' || chunk",
            row: "to_jsonb(t) - 'generation'",
            is_shared: false,
        },
    ];

    type Rows = JobRows;

    async fn load(
        connection: &mut PgConnection,
        generation: i32,
        events: &[&TypedEvent<'_>],
    ) -> Result<JobRows, sqlx::Error> {
        let mut ids: Vec<JobId> = events.iter().map(|event| event.content.job_id()).collect();
        ids.sort_unstable();
        ids.dedup();
        let views = rows::load_jobs(connection, generation, &ids).await?;
        Ok(JobRows { views: views.into_iter().map(|view| (view.job_id, view)).collect(), ..JobRows::default() })
    }

    fn apply(rows: &mut JobRows, event: &TypedEvent<'_>) -> Result<(), ProjectionError> {
        match &event.content {
            EventContent::Job(id, events) => {
                let mut view = rows.views.remove(id);
                let outcome = JobView::apply(&mut view, event.recorded, events);
                rows.views.extend(view.map(|view| (*id, view)));
                outcome?;
                rows.chunks.entry(*id).or_default().extend(transcript::chunks(events));
                Ok(())
            }
            EventContent::Delivery(id, events) => {
                let view = rows.views.get_mut(id).ok_or(ProjectionError::UnknownJob(*id))?;
                view.apply_delivery(events);
                Ok(())
            }
        }
    }

    async fn save(connection: &mut PgConnection, generation: i32, rows: JobRows) -> Result<(), sqlx::Error> {
        rows::save_jobs(&mut *connection, generation, rows.views.values()).await?;
        rows::save_chunks(connection, generation, &rows.chunks).await
    }
}
