//! Data keys in a file of their own, beside an export or in a backup: wrapped, as they are stored.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Bytes of a wrapped key: the id of the master key, a nonce, the key, a tag.
const WRAPPED_BYTES: usize = 4 + 12 + 32 + 16;
/// The format that this program writes.
const FORMAT: u32 = 1;

/// A line of such a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum DataKeyLine {
    /// The first line.
    Begin {
        /// The format of what follows; this program knows 1.
        ytcaption_data_keys: u32,
    },
    /// A key.
    Key {
        /// Its id: that of its job.
        id: String,
        /// The wrapped key, in base64.
        wrapped: String,
    },
}

/// Why a file of data keys is not read.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// A line is not what such a file has.
    #[error("line {0} is not a line of a file of data keys, or a newer version of this program wrote it")]
    Line(u64),
    /// The database does not answer, or refuses the keys.
    #[error("the database does not take the data keys: {0}")]
    Database(#[from] sqlx::Error),
}

impl DataKeyLine {
    /// The first line of a file.
    pub const fn begin() -> Self {
        Self::Begin { ytcaption_data_keys: FORMAT }
    }

    pub(super) fn key(id: String, wrapped: &[u8]) -> Self {
        Self::Key { id, wrapped: STANDARD.encode(wrapped) }
    }

    /// The id and the wrapped key in line `number` of a file, counted from 1; none in its first line.
    pub(super) fn parse(number: u64, line: &str) -> Result<Option<(String, Vec<u8>)>, KeyFileError> {
        let malformed = || KeyFileError::Line(number);
        match serde_json::from_str(line).map_err(|_| malformed())? {
            Self::Begin { ytcaption_data_keys: FORMAT } if number == 1 => Ok(None),
            Self::Key { id, wrapped } if number > 1 => {
                let wrapped = STANDARD.decode(wrapped).map_err(|_| malformed())?;
                if wrapped.len() == WRAPPED_BYTES { Ok(Some((id, wrapped))) } else { Err(malformed()) }
            }
            Self::Begin { .. } | Self::Key { .. } => Err(malformed()),
        }
    }
}
