//! Who sends a request. The one place that sign-in will change.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use ytcaption_application::Principal;
use ytcaption_domain::Actor;

/// Name of every client while there is no sign-in.
const ANONYMOUS: &str = "anonymous";

/// The principal that a request is made for.
pub(crate) struct Authenticated(pub(crate) Principal);

impl<S: Sync> FromRequestParts<S> for Authenticated {
    type Rejection = Infallible;

    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(Principal::local_operator(Actor::Client(ANONYMOUS.to_owned()))))
    }
}
