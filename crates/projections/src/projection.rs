//! What a projection is, and the list's view of one.

use std::fmt;
use std::str::FromStr;

use futures::future::BoxFuture;
use sqlx::PgConnection;
use ytcaption_eventstore::RecordedEvent;

use crate::apply::{Applied, apply_page};
use crate::event::TypedEvent;
use crate::{PROJECTIONS, ProjectionError};

/// Folds events into tables that queries read.
///
/// The framework calls [`load`](Self::load), [`apply`](Self::apply) once an event, and [`save`](Self::save), all within
/// one transaction that also moves the checkpoint. It guarantees that the events of an aggregate come in their order,
/// without a gap and each once per generation, so a projection may count. An event that cannot be applied is parked, and
/// so are the later events of its aggregate.
///
/// Every table has a column `generation integer`, first in its keys: a rebuild fills the next generation beside the live
/// one. Resetting a generation, and comparing the live with the rebuilt one, follow from [`TABLES`](Self::TABLES).
pub(crate) trait Projection: 'static {
    /// Its name on the command line, in metrics, and of its checkpoint: `snake_case`, never changed.
    const NAME: &'static str;
    /// Types of the aggregates whose events it applies; it is not given the events of others.
    const AGGREGATES: &'static [&'static str];
    /// Its tables; no other projection writes them.
    const TABLES: &'static [Table];

    /// The rows that a page of events changes, in memory.
    type Rows: Send;

    /// Reads the rows that these events will change.
    fn load(
        connection: &mut PgConnection,
        generation: i32,
        events: &[&TypedEvent<'_>],
    ) -> impl Future<Output = Result<Self::Rows, sqlx::Error>> + Send;

    /// Applies one recorded event to the rows in memory. On an error the rows must be as before.
    ///
    /// # Errors
    /// The event cannot be applied.
    fn apply(rows: &mut Self::Rows, event: &TypedEvent<'_>) -> Result<(), ProjectionError>;

    /// Writes the rows.
    fn save(
        connection: &mut PgConnection,
        generation: i32,
        rows: Self::Rows,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

/// A table of a projection, in terms of SQL. Within the expressions `t` is a row of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: &'static str,
    /// An expression of type text that names a row within a generation.
    pub(crate) key: &'static str,
    /// An expression of type jsonb: what is equal in the live and in the rebuilt row.
    pub(crate) row: &'static str,
    /// Whether all projections share it, and rows name theirs in the column `projection`.
    pub(crate) is_shared: bool,
}

/// Tables that hold rows of every projection.
const SHARED_TABLES: [Table; 2] = [
    Table {
        name: "parked_events",
        key: "aggregate_type || '/' || aggregate_id || '/' || sequence",
        // When and with which message something was parked depends on when it was tried, and by which version.
        row: "to_jsonb(t) - '{generation,error,parked_at,retried_at}'::text[]",
        is_shared: true,
    },
    Table {
        name: "projected_streams",
        key: "aggregate_type || '/' || aggregate_id",
        row: "to_jsonb(t) - 'generation'",
        is_shared: true,
    },
];

type ApplyPage = for<'a> fn(
    &'a RegisteredProjection,
    &'a mut PgConnection,
    i32,
    &'a [RecordedEvent],
) -> BoxFuture<'a, Result<Applied, sqlx::Error>>;

/// A projection in the list [`PROJECTIONS`].
#[derive(Clone, Copy)]
pub struct RegisteredProjection {
    name: &'static str,
    aggregates: &'static [&'static str],
    tables: &'static [Table],
    apply: ApplyPage,
}

impl RegisteredProjection {
    pub(crate) const fn new<P: Projection>() -> Self {
        Self {
            name: P::NAME,
            aggregates: P::AGGREGATES,
            tables: P::TABLES,
            apply: |projection, connection, generation, events| {
                Box::pin(apply_page::<P>(projection, connection, generation, events))
            },
        }
    }

    /// Its name, for example `jobs`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it applies events of aggregates of this type.
    pub(crate) fn reads(&self, aggregate_type: &str) -> bool {
        self.aggregates.contains(&aggregate_type)
    }

    /// Names of its tables and of those that it shares: what a rebuild from the events fills.
    pub fn table_names(&self) -> impl Iterator<Item = &'static str> {
        self.tables().map(|table| table.name)
    }

    /// Its own tables and those that it shares.
    pub(crate) fn tables(&self) -> impl Iterator<Item = Table> {
        self.tables.iter().copied().chain(SHARED_TABLES)
    }

    /// Applies events, all of aggregates that it reads, in one go; fails as a whole.
    pub(crate) async fn apply(
        &self,
        connection: &mut PgConnection,
        generation: i32,
        events: &[RecordedEvent],
    ) -> Result<Applied, sqlx::Error> {
        (self.apply)(self, connection, generation, events).await
    }
}

impl fmt::Debug for RegisteredProjection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RegisteredProjection").field(&self.name).finish()
    }
}

impl fmt::Display for RegisteredProjection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A text that is not the name of a projection.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a projection; the projections are {names}", names = names())]
pub struct UnknownProjection(String);

impl FromStr for RegisteredProjection {
    type Err = UnknownProjection;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        PROJECTIONS
            .into_iter()
            .find(|projection| projection.name == text)
            .ok_or_else(|| UnknownProjection(text.to_owned()))
    }
}

fn names() -> String {
    PROJECTIONS.map(|projection| projection.name).join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_projection_is_found_by_its_name_and_a_wrong_name_is_answered_with_all_of_them() {
        for projection in PROJECTIONS {
            assert_eq!(projection.name().parse::<RegisteredProjection>().expect("its own name").name, projection.name);
        }
        let error = "nothing".parse::<RegisteredProjection>().expect_err("there is none").to_string();
        assert_eq!(error, "`nothing` is not a projection; the projections are jobs, usage");
    }

    #[test]
    fn names_and_tables_belong_to_one_projection() {
        let tables: Vec<_> = PROJECTIONS.iter().flat_map(|projection| projection.tables).map(|t| t.name).collect();
        assert_eq!(tables.iter().collect::<HashSet<_>>().len(), tables.len(), "{tables:?}");
        assert_eq!(
            PROJECTIONS.map(|projection| projection.name).iter().collect::<HashSet<_>>().len(),
            PROJECTIONS.len()
        );
    }
}
