//! Seals as they are stored and as they travel in an export.

use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};

use crate::Cursor;

/// One seal. What it says stands in its note, see [`super::Checkpoint::read`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Seals are numbered from 1, without gaps.
    pub number: u64,
    /// The prints of the events since the seal before.
    #[serde(with = "in_base64")]
    pub prints: Vec<u8>,
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

impl FromRow<'_, PgRow> for Seal {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let number: i64 = row.try_get("number")?;
        Ok(Self {
            number: u64::try_from(number)
                .map_err(|error| sqlx::Error::ColumnDecode { index: "number".to_owned(), source: Box::new(error) })?,
            prints: row.try_get("prints")?,
            note: row.try_get("note")?,
            signed_by: row.try_get("signed_by")?,
        })
    }
}

/// The newest seal, if there is one, and where the last event that it covers stands in the feed.
///
/// # Errors
/// The database does not answer.
pub async fn newest_seal(executor: impl PgExecutor<'_>) -> Result<Option<(Seal, Cursor)>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT number, prints, note, signed_by, transaction_id::text AS tx, position FROM seals
          ORDER BY number DESC LIMIT 1",
    )
    .fetch_optional(executor)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let tx: String = row.try_get("tx")?;
    let transaction_id =
        tx.parse().map_err(|error| sqlx::Error::ColumnDecode { index: "tx".to_owned(), source: Box::new(error) })?;
    Ok(Some((Seal::from_row(&row)?, Cursor { transaction_id, position: row.try_get("position")? })))
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
    sqlx::query_as(
        "SELECT number, prints, note, signed_by FROM seals WHERE number > $1 AND number <= $2 ORDER BY number LIMIT $3",
    )
    .bind(i64::try_from(number).unwrap_or(i64::MAX))
    .bind(i64::try_from(last).unwrap_or(i64::MAX))
    .bind(i64::from(limit))
    .fetch_all(executor)
    .await
}

/// Adds a seal that follows on the newest; false if another process has added that one meanwhile.
pub(super) async fn add(executor: impl PgExecutor<'_>, seal: &Seal, last: Cursor) -> Result<bool, sqlx::Error> {
    let added = sqlx::query(
        "INSERT INTO seals (number, prints, note, signed_by, transaction_id, position)
         VALUES ($1, $2, $3, $4, $5::text::xid8, $6) ON CONFLICT (number) DO NOTHING",
    )
    .bind(i64::try_from(seal.number).unwrap_or(i64::MAX))
    .bind(&seal.prints)
    .bind(&seal.note)
    .bind(&seal.signed_by)
    .bind(last.transaction_id.to_string())
    .bind(last.position)
    .execute(executor)
    .await?
    .rows_affected();
    Ok(added == 1)
}
