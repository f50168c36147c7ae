//! Use cases for operators: the events of all accounts, those that could not be applied, and the owner of a job.

use cqrs_es::Aggregate;
use ytcaption_domain::JobId;
use ytcaption_domain::job::Job;
use ytcaption_eventstore::{Cursor, EventQuery, RecordedEvent, read_event};
use ytcaption_projections::{ParkedCursor, ParkedEvent, RegisteredProjection, cut_page};

use crate::permissions::Permission;
use crate::{AuditError, GetError, Principal, Queries, StoreError};

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

    /// At most `limit` events of all accounts that could not be applied to a read model, after `cursor`; of one
    /// read model if `projection` is given.
    ///
    /// # Errors
    /// See [`AuditError`].
    pub async fn parked_events(
        &self,
        principal: &Principal,
        projection: Option<&RegisteredProjection>,
        cursor: ParkedCursor,
        limit: u32,
    ) -> Result<ParkedPage, AuditError> {
        principal.require(Permission::ReadParked)?;
        let total = self.parked.count(projection).await.map_err(StoreError::unavailable)?;
        // One more than requested shows whether there is a next page.
        let events = self.parked.page(projection, cursor, limit.saturating_add(1)).await;
        let mut events = events.map_err(StoreError::unavailable)?;
        let next = cut_page(&mut events, limit, ParkedCursor::after);
        Ok(ParkedPage { total, events, next })
    }

    /// The operator, acting for the account that owns a job: to read a job whose account is not known beforehand.
    ///
    /// # Errors
    /// The caller may not read the events of all accounts; there is no such job in any account; the store gave no
    /// answer.
    pub async fn as_owner_of(&self, operator: &Principal, job: JobId) -> Result<Principal, GetError> {
        operator.require(Permission::ReadAudit)?;
        let first =
            read_event(&self.database, Job::TYPE, &job.to_string(), 1).await.map_err(StoreError::unavailable)?;
        let account = first.ok_or(GetError::NotFound(job))?.metadata.context.account;
        Ok(Principal { account, ..operator.clone() })
    }
}
