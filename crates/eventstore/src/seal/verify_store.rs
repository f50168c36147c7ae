//! Verifies the events of a database.

use sqlx::PgPool;

use super::store::{newest_seal, seals_after};
use super::verify::{Report, Verifier};
use crate::feed::horizon;
use crate::{Cursor, exported};

/// Events read at a time.
const PAGE_EVENTS: u32 = 500;
/// Seals read at a time.
const PAGE_SEALS: u32 = 64;

impl Verifier {
    /// Verifies the events of a database that are final now. `progress` is called with the number of events verified so far.
    ///
    /// # Errors
    /// The database does not answer, or a row cannot be read.
    pub async fn database(mut self, pool: &PgPool, progress: impl Fn(u64)) -> Result<Report, sqlx::Error> {
        // In this order: what is sealed now is final then.
        let newest = newest_seal(pool).await?.map_or(0, |(seal, _)| seal.number);
        let horizon = horizon(pool).await?;
        self.expect_seals(newest);
        let (mut after, mut more) = (Cursor::default(), true);
        let mut number = 0;
        loop {
            let seals = seals_after(pool, number, newest, PAGE_SEALS).await?;
            for seal in &seals {
                self.seal(seal);
            }
            if let Some(last) = seals.last() {
                number = last.number;
            }
            while more && (seals.is_empty() || self.events() < self.covered()) {
                let page = exported::page(pool, after, horizon, PAGE_EVENTS).await?;
                more = !page.is_empty();
                for placed in &page {
                    self.event(&placed.event, Some(placed.cursor))
                        .map_err(|error| sqlx::Error::Decode(error.into()))?;
                    after = placed.cursor;
                }
                progress(self.events());
            }
            if seals.is_empty() {
                return Ok(self.finish());
            }
        }
    }
}
