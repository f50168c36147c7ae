//! The query side: events folded into read models, and the queries that clients ask of them.
//!
//! ```text
//! feed ─▶ Projector ─▶ Projection::apply ─▶ tables ─▶ JobQueries, UsageQueries
//! ```
//!
//! A projection (the trait `Projection`) owns its tables and every query on them. All of them are in [`PROJECTIONS`];
//! the projector, rebuilds, verification, parking and retries work for each. A job's history and timeline are folded
//! from its events when they are requested, and have no tables.

mod apply;
mod as_of;
mod difference;
mod error;
mod event;
mod generation;
mod history;
mod jobs;
mod page;
mod parked;
mod parked_cursor;
mod projection;
mod projector;
mod rebuild;
mod streams;
mod timeline;
mod usage;
mod verify;

pub use as_of::{AsOf, AsOfParseError};
pub use difference::{Change, difference};
pub use error::ProjectionError;
pub use history::{HistoryError, JobAt, JobHistory};
pub use jobs::{JOBS, JobFilter, JobPage, JobQueries, JobSnapshot, JobView, PageCursor, PageCursorError, QueryError};
pub use page::cut_page;
pub use parked::{ParkedEvent, ParkedEvents, Retried};
pub use parked_cursor::{ParkedCursor, ParkedCursorError};
pub use projection::{RegisteredProjection, UnknownProjection};
pub use projector::{Projector, ProjectorError, project_all};
pub use rebuild::{Rebuild, RebuildError, Switched};
pub use timeline::{EntryKind, Timeline, TimelineEntry};
pub use usage::{USAGE, UsageDay, UsageQueries};
pub use verify::{Comparison, Difference};

/// Every projection. A new one is one line here, its module above, and its tables in `migrations/`.
pub const PROJECTIONS: [RegisteredProjection; 2] = [JOBS, USAGE];

#[cfg(test)]
mod tests;
