//! The POST: signed, to a permitted address only, without following redirects.

use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};
use secrecy::ExposeSecret as _;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};
use uuid::Uuid;
use ytcaption_domain::delivery::Notification;
use ytcaption_domain::network::AddressPolicy;
use ytcaption_domain::text;
use ytcaption_telemetry::context;

use super::WebhookSettings;
use crate::network::{self, NetworkError};
use crate::{StartError, now};

/// The result of a POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// The receiver has accepted it (2xx).
    Accepted(StatusCode),
    /// The receiver answered with another status.
    HttpError(StatusCode),
    /// There was no response, for this reason.
    NoResponse(String),
    /// The policy forbids the address, for this reason.
    AddressBlocked(String),
    /// Nothing was sent: the job was erased, so its URL is not known any more.
    UrlErased,
}

impl Reply {
    /// Whether the receiver is unhealthy, and has not only refused this message.
    pub(super) fn is_unhealthy(&self) -> bool {
        match self {
            Self::Accepted(_) | Self::AddressBlocked(_) | Self::UrlErased => false,
            Self::HttpError(status) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::NoResponse(_) => true,
        }
    }
}

/// Posts webhooks.
pub(super) struct Client {
    http: reqwest::Client,
    webhook: Webhook,
    policy: AddressPolicy,
}

impl Client {
    pub(super) fn new(settings: &WebhookSettings, policy: AddressPolicy) -> Result<Self, StartError> {
        let secret = settings.secret.as_ref().ok_or(StartError::Secret)?;
        let webhook = Webhook::new(secret.expose_secret()).map_err(|_| StartError::Secret)?;
        let http = reqwest::Client::builder()
            .user_agent(concat!("ytcaption/", env!("CARGO_PKG_VERSION")))
            .timeout(settings.timeout)
            .redirect(Policy::none())
            .dns_resolver(Arc::new(GuardedResolver { policy: policy.clone() }))
            // A proxy would resolve names itself, past the policy.
            .no_proxy()
            .build()?;
        Ok(Self { http, webhook, policy })
    }

    /// Notifies `url` of the event `event_id`. Only the status of the response is read.
    pub(super) async fn post(
        &self,
        url: &Url,
        event_id: Uuid,
        traceparent: Option<&str>,
        body: &Notification,
    ) -> Reply {
        if let Err(error) = self.policy.check_url(url) {
            return Reply::AddressBlocked(error.to_string());
        }
        let (id, timestamp) = (event_id.to_string(), now().timestamp());
        let signed = serde_json::to_vec(body)
            .map_err(|error| error.to_string())
            .and_then(|json| Ok((self.webhook.sign(&id, timestamp, &json).map_err(|e| e.to_string())?, json)));
        let (signature, json) = match signed {
            Ok(signed) => signed,
            Err(reason) => return Reply::NoResponse(reason),
        };
        let mut request = self
            .http
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(HEADER_WEBHOOK_ID, id)
            .header(HEADER_WEBHOOK_TIMESTAMP, timestamp)
            .header(HEADER_WEBHOOK_SIGNATURE, signature)
            .body(json);
        if let Some(traceparent) = traceparent {
            request = request.header(context::TRACEPARENT, traceparent);
        }
        match request.send().await {
            Ok(response) if response.status().is_success() => Reply::Accepted(response.status()),
            Ok(response) => Reply::HttpError(response.status()),
            Err(error) => failure(&error),
        }
    }
}

/// The reason of a failure, without the URL: it may carry a secret.
fn failure(error: &reqwest::Error) -> Reply {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut deepest = error.to_string();
    while let Some(error) = cause {
        if let Some(refused @ (NetworkError::Refused(_) | NetworkError::Internal { .. })) = error.downcast_ref() {
            return Reply::AddressBlocked(refused.to_string());
        }
        deepest = error.to_string();
        cause = error.source();
    }
    if error.is_timeout() {
        return Reply::NoResponse("the receiver did not answer in time".to_owned());
    }
    // It may have the address that the name resolves to.
    tracing::debug!(error = deepest, "the receiver of a webhook could not be reached");
    Reply::NoResponse(text::without_internals(&deepest))
}

/// Resolves names within the policy: connections are made to the addresses that were checked.
struct GuardedResolver {
    policy: AddressPolicy,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.policy.clone();
        Box::pin(async move {
            // Port 0 means the one in the URL.
            let found = network::resolve(&policy, name.as_str(), 0).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
