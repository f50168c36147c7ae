//! Who asks, and for which account. The one place that sign-in will change.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use ytcaption_domain::{AccountId, Actor, CommandContext};
use ytcaption_eventstore::IdGenerator;
use ytcaption_telemetry::context::current_traceparent;

/// Name of every client while there is no sign-in.
const ANONYMOUS: &str = "anonymous";

/// The client behind a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The account whose jobs it sees and creates.
    pub(crate) account: AccountId,
    actor: Actor,
}

impl Caller {
    /// The circumstances of a command that this client gives now.
    pub(crate) fn context(&self, ids: IdGenerator) -> CommandContext {
        CommandContext {
            account: self.account.clone(),
            actor: self.actor.clone(),
            correlation_id: ids.new_id(),
            causation_id: None,
            traceparent: current_traceparent(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self { account: AccountId::local(), actor: Actor::Client(ANONYMOUS.to_owned()) })
    }
}
