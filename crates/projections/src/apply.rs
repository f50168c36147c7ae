//! Applies events to one generation of the read model, within the caller's transaction.
//!
//! Used by the projector, which follows the feed, by a rebuild, which begins at the first event, and by a retry of parked
//! events. It has a connection to Postgres and nothing else: whatever is applied, and however often, nobody is told.

use std::collections::{BTreeMap, HashSet};

use cqrs_es::Aggregate;
use sqlx::{Connection as _, PgConnection};
use ytcaption_domain::JobId;
use ytcaption_domain::delivery::{Delivery, DeliveryEvent};
use ytcaption_domain::job::{Job, JobEvent};
use ytcaption_eventstore::RecordedEvent;

use crate::job_view::Fold;
use crate::parked::{self, Parking};
use crate::rows::{self, ChunkRow};
use crate::{JobView, Misfit};

/// SQLSTATE classes of errors that lie in the data and come again however often it is tried: data exceptions and
/// exceeded limits. Violated constraints are not among them: they can as well be a schema that is not ours.
const FAULTS_OF_DATA: [&str; 2] = ["22", "54"];

/// What became of some events.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Those that could not be applied, to be reported once the transaction is committed.
    pub(crate) parked: Vec<Parking>,
    /// How many were parked before and are applied now.
    pub(crate) freed: u64,
}

/// Applies events, in the order of the feed, and parks those that cannot be applied.
pub(crate) async fn apply(
    connection: &mut PgConnection,
    generation: i32,
    events: &[RecordedEvent],
) -> Result<Applied, sqlx::Error> {
    let mut all = connection.begin().await?;
    let fault = match apply_all(&mut all, generation, events).await {
        Ok(applied) => return all.commit().await.map(|()| applied),
        Err(error) if is_fault_of_data(&error) => error,
        Err(error) => return Err(error),
    };
    all.rollback().await?;
    if let [event] = events {
        let parking = Parking::new(event, Misfit::Refused(fault));
        parked::park(connection, generation, std::slice::from_ref(&parking)).await?;
        return Ok(Applied { parked: vec![parking], freed: 0 });
    }
    // One of them is to blame: each for itself.
    let mut applied = Applied::default();
    for event in events {
        let one = Box::pin(apply(connection, generation, std::slice::from_ref(event))).await?;
        applied.parked.extend(one.parked);
        applied.freed += one.freed;
    }
    Ok(applied)
}

async fn apply_all(
    connection: &mut PgConnection,
    generation: i32,
    events: &[RecordedEvent],
) -> Result<Applied, sqlx::Error> {
    let read: Vec<_> = events.iter().map(|event| (event, read(event))).collect();
    let ids: HashSet<JobId> = read.iter().filter_map(|(_, read)| read.as_ref().ok()?.job()).collect();
    let ids: Vec<JobId> = ids.into_iter().collect();
    let mut page = Page { generation, ..Page::default() };
    for view in rows::load_jobs(&mut *connection, generation, &ids).await? {
        page.views.insert(view.job_id, Some(view));
    }
    let (mut applied, mut parked) = (vec![], vec![]);
    for (event, read) in read {
        match read.and_then(|read| page.fold(event, read)) {
            Ok(()) => applied.push(event),
            Err(misfit) => parked.push(Parking::new(event, misfit)),
        }
    }
    let changed = page.changed.iter().filter_map(|id| page.views.get(id)?.as_ref());
    rows::save_jobs(&mut *connection, generation, changed).await?;
    rows::save_chunks(&mut *connection, &page.chunks).await?;
    let freed = parked::forget(&mut *connection, generation, applied.into_iter()).await?;
    parked::park(&mut *connection, generation, &parked).await?;
    Ok(Applied { parked, freed })
}

/// What an event says, in types.
enum Read {
    Job(JobId, Vec<JobEvent>),
    Delivery(JobId, Vec<DeliveryEvent>),
    /// Other aggregates have projections of their own.
    Other,
}

impl Read {
    const fn job(&self) -> Option<JobId> {
        match self {
            Self::Job(id, _) | Self::Delivery(id, _) => Some(*id),
            Self::Other => None,
        }
    }
}

fn read(event: &RecordedEvent) -> Result<Read, Misfit> {
    match event.aggregate_type.as_str() {
        Job::TYPE => {
            let id = event.aggregate_id.parse().map_err(|_| Misfit::NoJobId)?;
            Ok(Read::Job(id, event.decode()?))
        }
        Delivery::TYPE => {
            let events: Vec<DeliveryEvent> = event.decode()?;
            let id = events.first().map(DeliveryEvent::job_id).ok_or(Misfit::NoJobId)?;
            Ok(Read::Delivery(id, events))
        }
        _ => Ok(Read::Other),
    }
}

/// What becomes of some events.
#[derive(Default)]
struct Page {
    generation: i32,
    views: BTreeMap<JobId, Option<JobView>>,
    changed: HashSet<JobId>,
    chunks: Vec<ChunkRow>,
}

impl Page {
    fn fold(&mut self, recorded: &RecordedEvent, read: Read) -> Result<(), Misfit> {
        let (id, fold) = match read {
            Read::Job(id, events) => {
                let fold = JobView::fold(self.views.entry(id).or_default(), recorded, &events)?;
                if fold == Fold::Applied {
                    self.chunks.extend(events.into_iter().filter_map(|event| chunk(self.generation, id, event)));
                }
                (id, fold)
            }
            Read::Delivery(id, events) => {
                let view = self.views.get_mut(&id).and_then(Option::as_mut).ok_or(Misfit::UnknownJob(id))?;
                (id, view.fold_delivery(recorded, &events)?)
            }
            Read::Other => return Ok(()),
        };
        if fold == Fold::Applied {
            self.changed.insert(id);
        }
        Ok(())
    }
}

fn chunk(generation: i32, job_id: JobId, event: JobEvent) -> Option<ChunkRow> {
    match event {
        JobEvent::ChunkTranscribed { chunk, language, segments, .. } => {
            Some(ChunkRow { generation, job_id, chunk, language, segments })
        }
        _ => None,
    }
}

fn is_fault_of_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| FAULTS_OF_DATA.iter().any(|class| code.starts_with(class)))
}
