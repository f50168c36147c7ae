//! Why an export is not imported.

use uuid::Uuid;
use ytcaption_domain::MetadataError;

use crate::encryption::KeyFileError;

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There are events already.
    #[error(
        "the store is not empty, it holds {0} events; import into a database of its own \
         (createdb, then DATABASE_URL=… ytcaption events import)"
    )]
    NotEmpty(i64),
    /// This role may not import.
    #[error(
        "only the owner of the database may import, and this role is not: set database.owner_url \
         (YTCAPTION_DATABASE__OWNER_URL); nothing was imported"
    )]
    NotOwner,
    /// A line cannot follow the lines before it.
    #[error("line {line}: {error}; nothing was imported")]
    Line {
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        error: LineError,
    },
    /// The last line of an export is not there.
    #[error(
        "the export is cut off after line {0}: its last line is missing; nothing was imported. Take a complete copy"
    )]
    CutOff(u64),
    /// The database does not take some of these lines.
    #[error("lines {first} to {last}: the database refuses them: {source}; nothing was imported")]
    Refused {
        /// The first line of those that were handed over together.
        first: u64,
        /// The last one.
        last: u64,
        /// What the database says.
        source: sqlx::Error,
    },
    /// The file of data keys cannot be read.
    #[error("the file of data keys: {0}; nothing was imported")]
    DataKeys(#[from] KeyFileError),
    /// The database does not answer.
    #[error("the database does not answer: {0}; nothing was imported")]
    Unavailable(#[from] sqlx::Error),
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It is not JSON, or not an event.
    #[error("it is not an exported event: {0}")]
    Malformed(String),
    /// Its metadata lacks something.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Events are missing before it.
    #[error("a gap: {aggregate} has event {found} here, but event {expected} is missing before it")]
    Gap {
        /// The aggregate, as `type id`.
        aggregate: String,
        /// The event that is expected here.
        expected: u64,
        /// The event that is here.
        found: u64,
    },
    /// The event is in the export already.
    #[error("a duplicate: {aggregate} has had event {sequence} before")]
    Duplicate {
        /// The aggregate, as `type id`.
        aggregate: String,
        /// The event.
        sequence: u64,
    },
    /// Another event has this id.
    #[error("a duplicate: another event has the id {0}")]
    DuplicateId(Uuid),
    /// It is the first line of an export in another place, or of another format.
    #[error("the first line of an export is not expected here, or it is of a newer version of this program")]
    Begin,
    /// The file does not begin as an export does, so what it holds cannot be checked.
    #[error("the first line of an export is missing; take a complete copy of it")]
    NoBegin,
    /// It follows the last line of the export.
    #[error("it does not belong here: the export has ended before")]
    Misplaced,
    /// The events are not those that the export was written with.
    #[error(
        "the {0} events before it are not those that were exported: lines were changed, removed or inserted; \
         `ytcaption events verify --from-file` says which"
    )]
    Altered(u64),
}
