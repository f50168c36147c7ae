//! Use case: the jobs of an account, page by page.

use ytcaption_domain::job::JobStatus;
use ytcaption_projections::{JobFilter, JobPage, PageCursor};

use crate::permissions::{Permission, PermissionDenied};
use crate::{Principal, Queries, StoreError};

/// Why jobs cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The caller may not read jobs.
    #[error(transparent)]
    Denied(#[from] PermissionDenied),
    /// The store gave no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Queries {
    /// The newest `limit` jobs of the account before `cursor`, of one status if `status` is given.
    ///
    /// # Errors
    /// See [`ListError`].
    pub async fn list(
        &self,
        principal: &Principal,
        status: Option<JobStatus>,
        cursor: Option<PageCursor>,
        limit: u32,
    ) -> Result<JobPage, ListError> {
        principal.require(Permission::ReadJobs)?;
        Ok(self.jobs.page(&principal.account, JobFilter { status }, cursor, limit).await.map_err(StoreError::from)?)
    }
}
