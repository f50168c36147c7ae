//! Seals events as they become final.

use std::time::Duration;

use sqlx::PgPool;
use ytcaption_telemetry::metrics;

use super::chain::Link;
use super::checkpoint::Checkpoint;
use super::key::SealingKey;
use super::lag::SealLag;
use super::store::{self, Seal};
use crate::feed::horizon;
use crate::{Clock, Cursor, Database, exported};

/// Most events under one seal.
const SEAL_EVENTS: u32 = 256;
/// How long an event stays without a seal at most, while nothing holds the feed back: few seals on a quiet day, and
/// little that could be changed unseen.
const EVERY: Duration = Duration::from_secs(5);

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Unavailable(#[from] sqlx::Error),
    /// What the newest seal says cannot be read.
    #[error("seal {0} has been changed and cannot be continued; `ytcaption events verify` says more")]
    Unreadable(u64),
    /// An event cannot be written as JSON.
    #[error("an event cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Follows the feed and seals it. Any number may run; of two that seal the same events one wins.
#[derive(Debug)]
pub struct Sealer {
    pool: PgPool,
    key: SealingKey,
    clock: Clock,
}

impl Sealer {
    /// A sealer of a database that signs with that key.
    pub fn new(database: &Database, key: SealingKey, clock: Clock) -> Self {
        Self { pool: database.pool().clone(), key, clock }
    }

    /// Seals until it is dropped, and measures how far that is behind; rides out failures of the database.
    pub async fn run(&self) {
        // Apart, so that seals which cannot be made, or hang, are still seen to be missing.
        tokio::join!(self.keep_sealing(), self.keep_measuring());
    }

    async fn keep_sealing(&self) {
        loop {
            match self.seal_all().await {
                Ok(_) => {}
                Err(error @ SealError::Unavailable(_)) => tracing::warn!(%error, "the seals wait for the database"),
                Err(error) => tracing::error!(%error, "events are not sealed"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn keep_measuring(&self) {
        loop {
            match SealLag::look(&self.pool).await {
                Ok(SealLag { events, waiting }) => metrics::seal_lag(events, waiting),
                Err(error) => tracing::debug!(%error, "the lag of the seals cannot be measured"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Seals everything that is final now; returns how many events that were.
    ///
    /// # Errors
    /// See [`SealError`]; what was sealed before stays so.
    pub async fn seal_all(&self) -> Result<u64, SealError> {
        let mut sealed = 0;
        loop {
            let before = store::newest_seal(&self.pool).await?;
            let events = self.seal_next(before).await?;
            sealed += events;
            if events == 0 {
                return Ok(sealed);
            }
        }
    }

    /// Adds the seal that follows; returns how many events it covers.
    async fn seal_next(&self, before: Option<(Seal, Cursor)>) -> Result<u64, SealError> {
        let (number, mut chain, after) = match before {
            None => Default::default(),
            Some((seal, place)) => {
                let said = Checkpoint::parse(&seal.note).ok_or(SealError::Unreadable(seal.number))?;
                (seal.number, said.chain, place)
            }
        };
        let page = exported::page(&self.pool, after, horizon(&self.pool).await?, SEAL_EVENTS).await?;
        let Some(last) = page.last() else { return Ok(0) };
        let mut fingerprints = Vec::new();
        for placed in &page {
            let link = Link::from_event(&placed.event)?;
            chain.add(link.hash);
            fingerprints.extend(link.fingerprint);
        }
        let seal = Seal {
            number: number + 1,
            fingerprints,
            note: Checkpoint { chain, sealed_at: self.clock.now() }.sign(&self.key),
            signed_by: self.key.verifying_key().to_string(),
        };
        // Another process may have been faster; then its seal is the one to go on from.
        let added = store::add(&self.pool, &seal, last.cursor).await?;
        tracing::debug!(number = seal.number, events = page.len(), added, "sealed");
        Ok(page.len() as u64)
    }
}
