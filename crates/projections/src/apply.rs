//! Applies events to one generation of a projection, within the caller's transaction.
//!
//! Used by the projector, which follows the feed, by a rebuild, which begins at the first event, and by a retry of parked
//! events. It has a connection to Postgres and nothing else: whatever is applied, and however often, no message is
//! published and no webhook called.

use sqlx::{Connection as _, PgConnection};
use ytcaption_eventstore::{RecordedEvent, is_data_error};

use crate::event::TypedEvent;
use crate::parked::{self, Parking};
use crate::projection::Projection;
use crate::streams::Streams;
use crate::{ProjectionError, RegisteredProjection};

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
    projection: &RegisteredProjection,
    connection: &mut PgConnection,
    generation: i32,
    events: &[RecordedEvent],
) -> Result<Applied, sqlx::Error> {
    let events: Vec<_> = events.iter().filter(|event| projection.reads(&event.aggregate_type)).cloned().collect();
    let error = match attempt(projection, connection, generation, &events).await {
        Err(error) if is_data_error(&error) => error,
        done => return done,
    };
    tracing::debug!(%error, projection = projection.name(), "a page is applied event by event");
    let mut applied = Applied::default();
    for event in &events {
        let one = match attempt(projection, connection, generation, std::slice::from_ref(event)).await {
            Err(error) if is_data_error(&error) => {
                let parking = Parking::new(event, ProjectionError::Rejected(error));
                parked::park(connection, projection.name(), generation, std::slice::from_ref(&parking)).await?;
                Applied { parked: vec![parking], freed: 0 }
            }
            done => done?,
        };
        applied.parked.extend(one.parked);
        applied.freed += one.freed;
    }
    Ok(applied)
}

/// Applies all of the events, or none if the database rejects the row of any.
async fn attempt(
    projection: &RegisteredProjection,
    connection: &mut PgConnection,
    generation: i32,
    events: &[RecordedEvent],
) -> Result<Applied, sqlx::Error> {
    if events.is_empty() {
        return Ok(Applied::default());
    }
    let mut savepoint = connection.begin().await?;
    match projection.apply(&mut savepoint, generation, events).await {
        Ok(applied) => savepoint.commit().await.map(|()| applied),
        Err(error) => {
            savepoint.rollback().await?;
            Err(error)
        }
    }
}

/// One page of events of a projection: what [`RegisteredProjection::apply`] calls.
pub(crate) async fn apply_page<P: Projection>(
    projection: &RegisteredProjection,
    connection: &mut PgConnection,
    generation: i32,
    events: &[RecordedEvent],
) -> Result<Applied, sqlx::Error> {
    let name = projection.name();
    let mut streams = Streams::load(&mut *connection, name, generation, events).await?;
    let new = events.iter().filter(|event| !streams.has_applied(event));
    let decoded: Vec<_> = new.map(|event| (event, TypedEvent::decode(event))).collect();
    let readable: Vec<_> = decoded.iter().filter_map(|(_, typed)| typed.as_ref().ok()).collect();
    let mut rows = P::load(&mut *connection, generation, &readable).await?;
    let (mut applied, mut parked) = (vec![], vec![]);
    for (event, typed) in decoded {
        // What it says is looked at first: an unreadable event is reported as such, also behind a blocked one.
        let outcome = typed.and_then(|typed| {
            streams.require_next(event)?;
            P::apply(&mut rows, &typed)
        });
        match outcome {
            Ok(()) => {
                streams.advance(event);
                applied.push(event);
            }
            Err(error) => parked.push(Parking::new(event, error)),
        }
    }
    P::save(&mut *connection, generation, rows).await?;
    streams.save(&mut *connection, name, generation).await?;
    let freed = parked::forget(&mut *connection, name, generation, &applied).await?;
    parked::park(&mut *connection, name, generation, &parked).await?;
    Ok(Applied { parked, freed })
}
