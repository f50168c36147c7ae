//! Seals as they are stored and as they travel in an export.

use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;

use crate::Cursor;
use crate::recorded::column_error;

/// One seal. Its note holds what it says, see [`super::Checkpoint::parse`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Seals are numbered from 1, without gaps.
    pub number: u64,
    /// The fingerprints of the events since the seal before.
    #[serde(with = "in_base64")]
    pub fingerprints: Vec<u8>,
    /// The signed note.
    pub note: String,
    /// The key that verifies it, as [`super::VerifyingKey`] is written.
    pub signed_by: String,
}

mod in_base64 {
    use base64::Engine as _;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    use super::STANDARD;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A row of the table `seals`.
struct Row {
    number: i64,
    fingerprints: Vec<u8>,
    note: String,
    signed_by: String,
}

impl Row {
    fn into_seal(self) -> Result<Seal, sqlx::Error> {
        let number = u64::try_from(self.number).map_err(|error| column_error("number", error))?;
        Ok(Seal { number, fingerprints: self.fingerprints, note: self.note, signed_by: self.signed_by })
    }
}

/// The newest seal, if there is one, and the cursor of the last event that it covers.
///
/// # Errors
/// The database does not answer.
pub async fn newest_seal(executor: impl PgExecutor<'_>) -> Result<Option<(Seal, Cursor)>, sqlx::Error> {
    let newest = sqlx::query!(
        r#"SELECT number, fingerprints, note, signed_by, transaction_id::text AS "tx!", position FROM seals
            ORDER BY number DESC LIMIT 1"#
    );
    let Some(newest) = newest.fetch_optional(executor).await? else { return Ok(None) };
    let cursor = Cursor::from_row(&newest.tx, newest.position)?;
    let row = Row {
        number: newest.number,
        fingerprints: newest.fingerprints,
        note: newest.note,
        signed_by: newest.signed_by,
    };
    Ok(Some((row.into_seal()?, cursor)))
}

/// Up to `limit` seals after that number and up to `last`, in order.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn seals_after(
    executor: impl PgExecutor<'_>,
    number: u64,
    last: u64,
    limit: u32,
) -> Result<Vec<Seal>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT number, fingerprints, note, signed_by FROM seals WHERE number > $1 AND number <= $2
          ORDER BY number LIMIT $3",
        i64::try_from(number).unwrap_or(i64::MAX),
        i64::try_from(last).unwrap_or(i64::MAX),
        i64::from(limit),
    );
    rows.fetch_all(executor).await?.into_iter().map(Row::into_seal).collect()
}

/// Adds the seal that follows the newest; false if another process has added that one meanwhile.
pub(super) async fn add(executor: impl PgExecutor<'_>, seal: &Seal, last: Cursor) -> Result<bool, sqlx::Error> {
    let insert = sqlx::query!(
        "INSERT INTO seals (number, fingerprints, note, signed_by, transaction_id, position)
         VALUES ($1, $2, $3, $4, $5::text::xid8, $6) ON CONFLICT (number) DO NOTHING",
        i64::try_from(seal.number).unwrap_or(i64::MAX),
        seal.fingerprints,
        seal.note,
        seal.signed_by,
        last.transaction_id.to_string(),
        last.position,
    );
    Ok(insert.execute(executor).await?.rows_affected() == 1)
}
