//! Use case: wait until a job has ended.

use ytcaption_domain::JobId;
use ytcaption_projections::JobView;

use crate::permissions::Permission;
use crate::{GetError, Principal, Subscriptions};

impl Subscriptions {
    /// The job once it is completed, failed or cancelled; at once if it is already. There is no limit to the time: the
    /// caller sets one and may drop the future at any point.
    ///
    /// # Errors
    /// See [`GetError`].
    pub async fn wait_until_ended(&self, principal: &Principal, job: JobId) -> Result<JobView, GetError> {
        principal.require(Permission::ReadJobs)?;
        // Watched before the first look, so that no event between the two is missed.
        let mut watch = None;
        loop {
            let view = self.queries.find(principal, job).await?;
            if view.status.has_ended() {
                return Ok(view);
            }
            match &mut watch {
                // Only jobs that are there are watched; then looked at once more.
                None => watch = Some(self.watch(job)),
                Some(watch) => watch.changed().await,
            }
        }
    }
}
