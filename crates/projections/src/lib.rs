//! The query side: events folded into read models, and the questions clients ask of them.
//!
//! [`Projector`] follows the feed and writes what [`JobView::fold`] makes of each event, in one transaction with its
//! checkpoint; [`JobQueries`] reads. [`Rebuild`] makes all rows anew beside the live ones, to switch to them or to compare
//! them.

mod apply;
mod difference;
mod explain;
mod generation;
mod history;
mod job_view;
mod misfit;
mod moment;
mod page;
mod parked;
mod parked_cursor;
mod projector;
mod queries;
mod rebuild;
mod rows;
mod transcript;
mod verify;

pub use difference::{Change, difference};
pub use explain::{Entry, Kind, Timeline, explain};
pub use generation::PROJECTIONS;
pub use history::{HistoryError, JobAt, JobHistory};
pub use job_view::{Fold, JobView};
pub use misfit::Misfit;
pub use moment::{Moment, MomentParseError};
pub use page::{Page, PageCursor, PageCursorError, cut_page};
pub use parked::{ParkedEvent, ParkedEvents, Retried};
pub use parked_cursor::{ParkedCursor, ParkedCursorError};
pub use projector::{ProjectionError, Projector};
pub use queries::{JobFilter, JobQueries, JobSnapshot, QueryError};
pub use rebuild::{Rebuild, RebuildError, Switched};
pub use verify::{Comparison, Difference};

#[cfg(test)]
mod tests;
