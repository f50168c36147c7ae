//! Who calls a use case, and for which account.

use std::collections::BTreeSet;

use uuid::Uuid;
use ytcaption_domain::{AccountId, Actor, CommandContext};
use ytcaption_telemetry::context::current_traceparent;

/// Who calls a use case. A face makes it once for each request, from whatever identifies the caller there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The account whose jobs the caller sees and creates.
    pub account: AccountId,
    /// Who the caller is, as recorded in the metadata of every event that follows.
    pub actor: Actor,
    /// What the caller is to the deployment.
    pub role: Role,
    /// What the credentials were issued for; an empty set permits nothing.
    pub scopes: BTreeSet<Scope>,
}

/// What a caller is to the deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Belongs to an account and sees that account's jobs only.
    Member,
    /// Runs the deployment: may also read what concerns every account.
    Operator,
}

/// What credentials were issued for. Narrows what the role permits and never widens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Read jobs, their captions and their history.
    JobsRead,
    /// Submit and cancel jobs.
    JobsWrite,
    /// Read the events of all accounts.
    AuditRead,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::JobsRead, Self::JobsWrite, Self::AuditRead];

    /// Its name in credentials and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JobsRead => "jobs:read",
            Self::JobsWrite => "jobs:write",
            Self::AuditRead => "audit:read",
        }
    }
}

impl Principal {
    /// An operator of the local account with every scope, known as `actor`. While there is no sign-in, every caller of
    /// a face is one.
    pub fn local_operator(actor: Actor) -> Self {
        Self { account: AccountId::local(), actor, role: Role::Operator, scopes: BTreeSet::from(Scope::ALL) }
    }

    /// The circumstances of a command that this caller gives now.
    pub(crate) fn context(&self, correlation_id: Uuid) -> CommandContext {
        CommandContext {
            account: self.account.clone(),
            actor: self.actor.clone(),
            correlation_id,
            causation_id: None,
            traceparent: current_traceparent(),
        }
    }
}
