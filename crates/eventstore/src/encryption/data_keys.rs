//! The table `data_keys`.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::cipher::DataKey;
use super::error::{DecryptError, KeyError, MasterKeyError};
use super::key_file::{DataKeyLine, KeyFileError};
use super::master_key::{MasterKeyId, MasterKeys};

/// Id of a data key that encrypts nothing. The first process of a system stores it, and every later one unwraps it, so that a
/// process with another master key is refused before it writes anything.
const PROBE: Uuid = Uuid::nil();
/// How long a process may use a key that it has read. So long after a key was destroyed, a process that used it just
/// before may still decrypt with it.
const CACHED_FOR: Duration = Duration::from_secs(10);
/// Keys of a process that are cached at once; a key takes about 600 bytes.
const CACHED_KEYS: u64 = 10_000;
/// Keys read or wrapped at a time.
const PAGE_KEYS: i64 = 1_000;

/// The data keys of a database, and the master keys that unwrap them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DataKeys {
    pool: PgPool,
    master: Option<Arc<MasterKeys>>,
    cache: Cache<Uuid, DataKey>,
}

/// How many data keys a master key wraps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyCount {
    /// The master key; none where a row of the table is corrupt.
    pub master_key: Option<MasterKeyId>,
    /// Whether this process has it.
    pub available: bool,
    /// How many data keys.
    pub data_keys: u64,
}

/// The outcome of [`DataKeys::rewrap`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Rewrapped {
    /// Data keys that are wrapped with the current master key now.
    pub rewrapped: u64,
    /// Data keys that could not be unwrapped, so they are unchanged.
    pub failed: u64,
}

/// The outcome of [`DataKeys::import`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct KeysImported {
    /// Jobs that have a data key.
    pub with_key: u64,
    /// Jobs without one: their personal content reads as erased.
    pub without_key: u64,
}

impl DataKeys {
    pub(crate) fn new(pool: PgPool, master: Option<Arc<MasterKeys>>) -> Self {
        let cache = Cache::builder().max_capacity(CACHED_KEYS).time_to_live(CACHED_FOR).build();
        Self { pool, master, cache }
    }

    fn master(&self) -> Result<&MasterKeys, MasterKeyError> {
        self.master.as_deref().ok_or(MasterKeyError::Missing)
    }

    /// A new data key and its wrapped form, to be stored with the first event of its job.
    pub(crate) fn generate(&self, id: Uuid) -> Result<(DataKey, Vec<u8>), MasterKeyError> {
        self.master()?.new_data_key(&id.to_string())
    }

    /// The data key of that id; none if it was destroyed, or never made.
    pub(crate) async fn get(&self, id: Uuid) -> Result<Option<DataKey>, KeyError> {
        if let Some(key) = self.cache.get(&id) {
            return Ok(Some(key));
        }
        let text = id.to_string();
        let wrapped = sqlx::query_scalar!("SELECT wrapped FROM data_keys WHERE id = $1", text);
        let Some(wrapped) = wrapped.fetch_optional(&self.pool).await? else { return Ok(None) };
        let key = self.unwrap(&text, &wrapped)?;
        self.cache.insert(id, key.clone());
        Ok(Some(key))
    }

    /// The data key that a row of the table holds.
    pub(crate) fn unwrap(&self, id: &str, wrapped: &[u8]) -> Result<DataKey, DecryptError> {
        let Some(master) = &self.master else {
            return Err(MasterKeyId::of_wrapped(wrapped).map_or(DecryptError::DataKey, DecryptError::UnknownMasterKey));
        };
        DataKey::from_bytes(&master.unwrap(id, wrapped)?).map_err(|_| DecryptError::DataKey)
    }

    /// Whether this process has the master key of the system, or one of the previous ones it names: for a clear message at
    /// start. The first process decides which key that is.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub async fn check(&self) -> Result<(), KeyError> {
        let (_, wrapped) = self.generate(PROBE)?;
        let id = PROBE.to_string();
        let insert =
            sqlx::query!("INSERT INTO data_keys (id, wrapped) VALUES ($1, $2) ON CONFLICT DO NOTHING", id, wrapped);
        insert.execute(&self.pool).await?;
        let stored = sqlx::query_scalar!("SELECT wrapped FROM data_keys WHERE id = $1", id);
        self.unwrap(&id, &stored.fetch_one(&self.pool).await?)?;
        Ok(())
    }

    /// Deletes the data key of a job: the personal content of its events then reads as erased, also in exports and backups
    /// that hold no copy of the key. Returns whether there was one. Other processes may use the key for ten more seconds.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn destroy(&self, id: Uuid) -> Result<bool, sqlx::Error> {
        let deleted = sqlx::query!("DELETE FROM data_keys WHERE id = $1", id.to_string());
        let deleted = deleted.execute(&self.pool).await?.rows_affected();
        self.cache.invalidate(&id);
        Ok(deleted > 0)
    }

    /// How many data keys each master key wraps.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn count(&self) -> Result<Vec<KeyCount>, sqlx::Error> {
        let counts = sqlx::query!(
            r#"SELECT substring(wrapped FROM 1 FOR 4) AS "master_key!", count(*) AS "data_keys!" FROM data_keys
                WHERE id <> $1 GROUP BY 1 ORDER BY 1"#,
            PROBE.to_string()
        );
        let counted = counts.fetch_all(&self.pool).await?.into_iter().map(|row| {
            let master_key = MasterKeyId::of_wrapped(&row.master_key);
            KeyCount {
                master_key,
                available: master_key.is_some_and(|id| self.master.as_ref().is_some_and(|master| master.has(id))),
                data_keys: u64::try_from(row.data_keys).unwrap_or_default(),
            }
        });
        Ok(counted.collect())
    }

    /// Wraps every data key with the current master key, while the system runs. A process that still has another current
    /// master key goes on wrapping new data keys with that one.
    ///
    /// # Errors
    /// There is no master key, or the database does not answer; what was wrapped by then stays so.
    pub async fn rewrap(&self) -> Result<Rewrapped, KeyError> {
        let master = self.master()?;
        let current = master.current_id();
        let (mut outcome, mut after) = (Rewrapped::default(), String::new());
        loop {
            let page = sqlx::query!(
                "SELECT id, wrapped FROM data_keys WHERE id > $1 AND substring(wrapped FROM 1 FOR 4) <> $2
                  ORDER BY id LIMIT $3",
                after,
                current.as_bytes(),
                PAGE_KEYS,
            );
            let page = page.fetch_all(&self.pool).await?;
            let Some(last) = page.last() else { return Ok(outcome) };
            after.clone_from(&last.id);
            let (mut ids, mut old, mut new) = (Vec::new(), Vec::new(), Vec::new());
            for row in page {
                match master.unwrap(&row.id, &row.wrapped) {
                    Ok(bytes) => {
                        new.push(master.wrap(&row.id, &bytes)?);
                        ids.push(row.id);
                        old.push(row.wrapped);
                    }
                    Err(error) => {
                        tracing::warn!(data_key = row.id, %error, "a data key is not wrapped anew");
                        outcome.failed += 1;
                    }
                }
            }
            // A key that was destroyed meanwhile stays destroyed.
            let update = sqlx::query!(
                "UPDATE data_keys d SET wrapped = new.wrapped
                   FROM UNNEST($1::text[], $2::bytea[], $3::bytea[]) AS new(id, old, wrapped)
                  WHERE d.id = new.id AND d.wrapped = new.old",
                &ids,
                &old,
                &new,
            );
            outcome.rewrapped += update.execute(&self.pool).await?.rows_affected();
        }
    }

    /// Up to 1,000 keys with greater ids than `after`, as lines of a file; none after the last.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn export_page(&self, after: &str) -> Result<Vec<DataKeyLine>, sqlx::Error> {
        let page =
            sqlx::query!("SELECT id, wrapped FROM data_keys WHERE id > $1 ORDER BY id LIMIT $2", after, PAGE_KEYS);
        Ok(page.fetch_all(&self.pool).await?.into_iter().map(|row| DataKeyLine::key(row.id, &row.wrapped)).collect())
    }

    /// Adds the keys in the lines of a file, as far as there are events that they encrypt. A file that was written after
    /// its events may hold more. Returns how many jobs have one now, and how many have none: their personal content reads as
    /// erased.
    ///
    /// # Errors
    /// A line is malformed, or the database does not take them.
    pub async fn import<'a>(
        transaction: &mut PgConnection,
        lines: impl IntoIterator<Item = &'a str>,
    ) -> Result<KeysImported, KeyFileError> {
        let (mut ids, mut wrapped) = (Vec::new(), Vec::new());
        for (number, line) in (1..).zip(lines) {
            if let Some((id, key)) = DataKeyLine::parse(number, line)? {
                ids.push(id);
                wrapped.push(key);
            }
        }
        let insert = sqlx::query!(
            "INSERT INTO data_keys (id, wrapped)
             SELECT new.id, new.wrapped FROM UNNEST($1::text[], $2::bytea[]) AS new(id, wrapped)
              WHERE new.id = $3 OR EXISTS (SELECT FROM events_about(new.id))
                 ON CONFLICT DO NOTHING",
            &ids,
            &wrapped,
            PROBE.to_string(),
        );
        insert.execute(&mut *transaction).await?;
        Self::coverage(transaction).await.map_err(KeyFileError::from)
    }

    /// How many jobs have a data key, and how many have none.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn coverage(connection: &mut PgConnection) -> Result<KeysImported, sqlx::Error> {
        let counted = sqlx::query!(
            r#"SELECT count(k.id) AS "with_key!", count(*) - count(k.id) AS "without_key!"
                 FROM events e LEFT JOIN data_keys k ON k.id = e.aggregate_id
                WHERE e.aggregate_type = 'job' AND e.sequence = 1"#
        );
        let counted = counted.fetch_one(connection).await?;
        let number = |count: i64| u64::try_from(count).unwrap_or_default();
        Ok(KeysImported { with_key: number(counted.with_key), without_key: number(counted.without_key) })
    }
}
