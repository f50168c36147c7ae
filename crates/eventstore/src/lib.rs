//! The append-only event store in Postgres: commands in, events out, in commit order.
//!
//! ```text
//! CommandBus ── load (postgres-es) ── decide ── append (coalesced) ──▶ events table ──▶ Feed ──▶ readers
//! ```

mod append;
mod bus;
mod checkpoint;
mod database;
mod document;
mod export;
mod exported;
mod feed;
mod horizon;
mod import;
mod import_error;
mod query;
mod recorded;
mod repository;
mod rights;
mod schema;
pub mod seal;
mod stamp;
mod transaction;
mod wake;

pub use append::Appender;
pub use bus::{CommandBus, CommandError, Executed};
pub use checkpoint::{CheckpointError, Checkpoints};
pub use database::{Database, DatabaseError, DatabaseSettings};
pub use document::EventDocument;
pub use export::{Begin, End, ExportLine, Exporter};
pub use exported::ExportedEvent;
pub use feed::{
    Cursor, CursorParseError, Feed, read_event, read_stream, read_stream_after, read_stream_page, read_versions,
};
pub use horizon::{Holder, Horizon, HorizonView};
pub use import::{Imported, Importer};
pub use import_error::{ImportError, LineFault};
pub use query::{EventQuery, EventReader};
pub use recorded::{Damage, DecodeError, EventName, RecordedEvent};
pub use repository::EventRepository;
pub use stamp::Stamp;
pub use transaction::{begin, begin_with};
pub use wake::{Alarm, Wake};

#[cfg(test)]
mod query_tests;
#[cfg(test)]
mod rights_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod transfer_tests;
#[cfg(test)]
mod version_tests;
