//! Use case: one job as it is now.

use ytcaption_domain::JobId;
use ytcaption_projections::{JobSnapshot, JobView};

use crate::permissions::Permission;
use crate::{GetError, Principal, Queries, StoreError};

impl Queries {
    /// One job as its latest event left it: never behind what the caller has seen before.
    ///
    /// # Errors
    /// See [`GetError`].
    pub async fn get(&self, principal: &Principal, job: JobId) -> Result<JobView, GetError> {
        principal.require(Permission::ReadJobs)?;
        self.find(principal, job).await
    }

    /// The job, if it is the account's. The use case has checked the permission to read or change it.
    pub(crate) async fn find(&self, principal: &Principal, job: JobId) -> Result<JobView, GetError> {
        Ok(self.snapshot(principal, job).await?.view)
    }

    /// The same, ready for its text to be read.
    pub(crate) async fn snapshot(&self, principal: &Principal, job: JobId) -> Result<JobSnapshot, GetError> {
        tracing::Span::current().record("job_id", tracing::field::display(job));
        let snapshot = self.jobs.find(&principal.account, job).await.map_err(StoreError::from)?;
        snapshot.ok_or(GetError::NotFound(job))
    }
}
