//! Who may do what, on one page.

use crate::{Principal, Role, Scope};

/// Something that a use case does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Submit a job, with or without an upload.
    SubmitJob,
    /// Cancel a job.
    CancelJob,
    /// Read jobs, their captions, history and progress.
    ReadJobs,
    /// Read what the account has used.
    ReadUsage,
    /// Read the events of all accounts.
    ReadAudit,
    /// Read the events of all accounts that could not be applied to a read model.
    ReadParked,
}

/// The caller may not do this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PermissionDenied {
    /// The credentials lack a scope.
    #[error("this needs the scope `{}`, which the credentials do not have; use credentials that have it", .0.as_str())]
    Scope(Scope),
    /// The caller does not run the deployment.
    #[error("only an operator of this deployment may do this; ask one")]
    Role,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 6] =
        [Self::SubmitJob, Self::CancelJob, Self::ReadJobs, Self::ReadUsage, Self::ReadAudit, Self::ReadParked];

    /// The scope that the credentials must have, and the least role that the caller must have.
    const fn requirement(self) -> (Scope, Role) {
        match self {
            Self::SubmitJob | Self::CancelJob => (Scope::JobsWrite, Role::Member),
            Self::ReadJobs | Self::ReadUsage => (Scope::JobsRead, Role::Member),
            Self::ReadAudit | Self::ReadParked => (Scope::AuditRead, Role::Operator),
        }
    }
}

impl Principal {
    /// Lets the caller pass, or says what is missing.
    ///
    /// # Errors
    /// The credentials lack the scope, or the caller's role does not suffice.
    pub fn require(&self, permission: Permission) -> Result<(), PermissionDenied> {
        let (scope, role) = permission.requirement();
        if self.role < role {
            return Err(PermissionDenied::Role);
        }
        if !self.scopes.contains(&scope) {
            return Err(PermissionDenied::Scope(scope));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ytcaption_domain::Actor;

    use super::*;

    fn principal(role: Role, scopes: impl IntoIterator<Item = Scope>) -> Principal {
        let local = Principal::local_operator(Actor::Client("test".into()));
        Principal { role, scopes: scopes.into_iter().collect(), ..local }
    }

    #[test]
    fn a_member_reads_and_writes_jobs_and_nothing_of_other_accounts() {
        let member = principal(Role::Member, Scope::ALL);
        for permission in Permission::ALL {
            let expected = match permission {
                Permission::ReadAudit | Permission::ReadParked => Err(PermissionDenied::Role),
                Permission::SubmitJob | Permission::CancelJob | Permission::ReadJobs | Permission::ReadUsage => Ok(()),
            };
            assert_eq!(member.require(permission), expected, "{permission:?}");
        }
    }

    #[test]
    fn credentials_without_a_scope_are_denied_whatever_the_role() {
        for permission in Permission::ALL {
            let (needed, _) = permission.requirement();
            let operator = principal(Role::Operator, [needed]);
            assert_eq!(operator.require(permission), Ok(()), "{permission:?}");
            let others = Scope::ALL.into_iter().filter(|scope| *scope != needed);
            let operator = principal(Role::Operator, others);
            assert_eq!(operator.require(permission), Err(PermissionDenied::Scope(needed)), "{permission:?}");
        }
    }
}
