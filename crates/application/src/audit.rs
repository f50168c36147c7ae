//! Use cases for operators: the events of all accounts, and those that could not be applied.

use ytcaption_eventstore::{Cursor, EventQuery, RecordedEvent};
use ytcaption_projections::{ParkedCursor, ParkedEvent, cut_page};

use crate::permissions::Permission;
use crate::{AuditError, Principal, Queries, StoreError};

/// A page of events.
#[derive(Debug, Clone)]
pub struct EventPage {
    /// Oldest first.
    pub events: Vec<RecordedEvent>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Cursor>,
}

/// A page of parked events.
#[derive(Debug, Clone)]
pub struct ParkedPage {
    /// How many are parked, on all pages together.
    pub total: u64,
    /// Those with an error of their own, then those that are blocked by them; each in the order of the feed.
    pub events: Vec<ParkedEvent>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<ParkedCursor>,
}

impl Queries {
    /// At most `limit` events of all accounts that match `query`, oldest first, after `cursor`.
    ///
    /// # Errors
    /// See [`AuditError`].
    pub async fn audit_events(
        &self,
        principal: &Principal,
        query: &EventQuery,
        cursor: Cursor,
        limit: u32,
    ) -> Result<EventPage, AuditError> {
        principal.require(Permission::ReadAudit)?;
        // One more than requested shows whether there is a next page.
        let page = self.events.page(query, cursor, limit.saturating_add(1)).await;
        let mut events = page.map_err(StoreError::unavailable)?;
        let next = cut_page(&mut events, limit, |last| last.cursor);
        Ok(EventPage { events, next })
    }

    /// At most `limit` events of all accounts that could not be applied to a read model, after `cursor`.
    ///
    /// # Errors
    /// See [`AuditError`].
    pub async fn parked_events(
        &self,
        principal: &Principal,
        cursor: ParkedCursor,
        limit: u32,
    ) -> Result<ParkedPage, AuditError> {
        principal.require(Permission::ReadParked)?;
        let total = self.parked.count(None).await.map_err(StoreError::unavailable)?;
        // One more than requested shows whether there is a next page.
        let events = self.parked.page(None, cursor, limit.saturating_add(1)).await;
        let mut events = events.map_err(StoreError::unavailable)?;
        let next = cut_page(&mut events, limit, ParkedCursor::after);
        Ok(ParkedPage { total, events, next })
    }
}
