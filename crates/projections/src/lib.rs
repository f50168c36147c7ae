//! The query side: events folded into read models, and the questions clients ask of them.
//!
//! [`Projector`] follows the feed and writes what [`JobView::fold`] makes of each event, in one transaction with its
//! checkpoint; [`JobQueries`] reads.

mod difference;
mod explain;
mod history;
mod job_view;
mod moment;
mod page;
mod parked;
mod projector;
mod queries;
mod rows;

pub use difference::{Change, difference};
pub use explain::{Entry, Kind, Timeline, explain};
pub use history::{HistoryError, JobAt, JobHistory};
pub use job_view::JobView;
pub use moment::{Moment, MomentParseError};
pub use page::{Page, PageCursor, PageCursorError};
pub use projector::{ProjectionError, Projector};
pub use queries::{JobFilter, JobQueries, QueryError};

#[cfg(test)]
mod tests;
