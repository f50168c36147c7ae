//! Use case: what an account has used, by day.

use chrono::NaiveDate;
use ytcaption_projections::UsageDay;

use crate::permissions::{Permission, PermissionDenied};
use crate::{Principal, Queries, StoreError};

/// Why usage cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// The caller may not read the usage of its account.
    #[error(transparent)]
    Denied(#[from] PermissionDenied),
    /// The first day is after the last, or there are too many days between them.
    #[error("the period must be 1 to {} days long, and its first day not after its last", Queries::MAX_USAGE_DAYS)]
    InvalidPeriod,
    /// The store gave no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Queries {
    /// Most days that usage can be read of at a time: a leap year.
    pub const MAX_USAGE_DAYS: u32 = 366;

    /// What the account has used on each day (UTC) from `from` to `to`, both included, oldest first; days without any
    /// usage are left out. It is some events behind where the projector is.
    ///
    /// # Errors
    /// See [`UsageError`].
    pub async fn usage(
        &self,
        principal: &Principal,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Vec<UsageDay>, UsageError> {
        principal.require(Permission::ReadUsage)?;
        let days = to.signed_duration_since(from).num_days() + 1;
        if !(1..=i64::from(Self::MAX_USAGE_DAYS)).contains(&days) {
            return Err(UsageError::InvalidPeriod);
        }
        Ok(self.usage.days(&principal.account, from, to).await.map_err(StoreError::unavailable)?)
    }
}
