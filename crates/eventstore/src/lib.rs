//! The append-only event store in Postgres: commands in, events out, in commit order.
//!
//! ```text
//! CommandBus ── load (postgres-es) ── decide ── append (coalesced) ──▶ events table ──▶ Feed ──▶ readers
//! ```

mod append;
mod await_server;
mod bus;
mod checkpoint;
mod clock;
mod creations;
mod database;
mod database_error;
mod document;
mod dump;
pub mod encryption;
mod export;
mod exported;
mod feed;
mod horizon;
mod import;
mod import_error;
mod migrations;
mod notify;
mod query;
mod recorded;
mod repository;
mod rights;
mod schema;
pub mod seal;
mod stream;
mod transaction;
pub mod work;

pub use append::{Appender, NewEvents};
pub use bus::{CommandBus, CommandError, Executed};
pub use checkpoint::{CheckpointError, Checkpoints, LONGEST_RELAY_STALL, RELAY as RELAY_CHECKPOINT};
pub use clock::{Clock, IdGenerator};
pub use creations::named_in_creations;
pub use database::Database;
pub use database_error::{DatabaseError, is_data_error};
pub use document::EventDocument;
pub use dump::{BEGIN_DUMP, DUMPED_TABLES, DumpedTable, schema_version};
pub use export::{Begin, End, ExportLine, Exporter};
pub use exported::ExportedEvent;
pub use feed::{Cursor, CursorParseError, Feed};
pub use horizon::{BlockingTransaction, Horizon, HorizonView};
pub use import::{Imported, Importer};
pub use import_error::{ImportError, LineError};
pub use notify::{EventListener, Subscription};
pub use query::{EventQuery, EventReader};
pub use recorded::{Corruption, DecodeError, EventRef, RecordedEvent, UnreadableEvent};
pub use stream::{
    read_event, read_stream, read_stream_after, read_stream_after_within, read_stream_page, read_versions,
};
pub use transaction::{begin, begin_with};

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
