//! The hub's protocol.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, ETAG, HeaderMap, HeaderValue, LOCATION, RANGE};
use reqwest::{Client, Method, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::{Host, Url};
use ytcaption_domain::network::AddressPolicy;

use super::checksum::Checksum;
use super::{HubError, Reference};

/// Limit for establishing a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Limit for the time between two pieces of a response.
const READ_TIMEOUT: Duration = Duration::from_mins(1);
const MAX_REDIRECTS: usize = 8;
/// A list of files is a few hundred KB at most.
const MAX_LIST_BYTES: usize = 16 * 1024 * 1024;

/// The hub that models are downloaded from; set from `[models]`.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// URL of the hub or of a mirror; may have a path.
    pub endpoint: Url,
    /// Access token; sent only to the origin of `endpoint`.
    pub token: Option<SecretString>,
    /// Delay before the first retry of a failed request; it doubles with each further one.
    pub first_delay: Duration,
}

/// A client of a hub.
pub struct Hub {
    client: Client,
    endpoint: Url,
    authorization: Option<HeaderValue>,
    pub(super) first_delay: Duration,
}

/// A commit of a repository.
pub(super) struct Snapshot {
    pub(super) commit: String,
    pub(super) files: Vec<String>,
}

/// What the hub announces about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remote {
    pub(super) bytes: u64,
    pub(super) checksum: Checksum,
}

impl Hub {
    /// Creates the client; no request is sent yet.
    ///
    /// # Errors
    /// The endpoint is not an HTTP URL, or the token has characters that a header cannot have.
    pub fn new(settings: &HubSettings) -> Result<Self, HubError> {
        let wrong = |text: String| HubError::Settings(text);
        if !matches!(settings.endpoint.scheme(), "http" | "https") || !settings.endpoint.has_host() {
            return Err(wrong("models.endpoint (HF_ENDPOINT) must begin with http:// or https://".to_owned()));
        }
        let authorization = settings.token.as_ref().map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
                .map_err(|_| wrong("models.token (HF_TOKEN) is not a valid token".to_owned()))?;
            value.set_sensitive(true);
            Ok(value)
        });
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .user_agent(concat!("ytcaption/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| wrong(format!("the HTTP client cannot be set up: {error}")))?;
        Ok(Self {
            client,
            endpoint: settings.endpoint.clone(),
            authorization: authorization.transpose()?,
            first_delay: settings.first_delay,
        })
    }

    /// The commit that a reference means now, and the names of its files.
    pub(super) async fn snapshot(&self, reference: &Reference) -> Result<Snapshot, HubError> {
        #[derive(Deserialize)]
        struct Revision {
            sha: String,
            #[serde(default)]
            siblings: Vec<Sibling>,
        }
        #[derive(Deserialize)]
        struct Sibling {
            rfilename: String,
        }
        let path = format!("api/models/{}/revision/{}", reference.repository, reference.revision_in_path());
        let url = self.url(&path)?;
        let response = self.send(&Method::GET, url, 0).await?;
        let host = host_of(response.url());
        let protocol = |reason: String| HubError::Protocol { host: host.clone(), reason };
        self.accept(&response, reference)?;
        let body = whole(response, MAX_LIST_BYTES).await?;
        let revision: Revision = serde_json::from_slice(&body)
            .map_err(|error| protocol(format!("its description of the model is not readable ({error})")))?;
        if !is_commit(&revision.sha) {
            return Err(protocol("its description of the model names no commit".to_owned()));
        }
        let files = revision.siblings.into_iter().map(|sibling| sibling.rfilename).collect();
        Ok(Snapshot { commit: revision.sha, files })
    }

    /// Size and checksum of a file.
    pub(super) async fn describe(&self, from: &Reference, commit: &str, file: &str) -> Result<Remote, HubError> {
        let response = self.send(&Method::HEAD, self.resolve(from, commit, file)?, 0).await?;
        let protocol = |reason: &str| HubError::Protocol { host: host_of(response.url()), reason: reason.to_owned() };
        if !response.status().is_redirection() {
            self.accept(&response, from)?;
        }
        let headers = response.headers();
        let etag = text(headers, "x-linked-etag").or_else(|| text(headers, ETAG.as_str()));
        let checksum =
            etag.and_then(Checksum::parse_etag).ok_or_else(|| protocol(&format!("it has no checksum of {file}")))?;
        let size = text(headers, "x-linked-size").or_else(|| text(headers, "content-length"));
        let bytes =
            size.and_then(|size| size.parse().ok()).ok_or_else(|| protocol(&format!("it has no size of {file}")))?;
        if text(headers, "x-repo-commit").is_some_and(|answered| answered != commit) {
            return Err(protocol("it responds with another commit than was requested"));
        }
        Ok(Remote { bytes, checksum })
    }

    /// The content of a file from byte `from_byte` on; the status of the response says whether the server supports that.
    pub(super) async fn content(
        &self,
        from: &Reference,
        commit: &str,
        file: &str,
        from_byte: u64,
    ) -> Result<Response, HubError> {
        let response = self.send(&Method::GET, self.resolve(from, commit, file)?, from_byte).await?;
        if response.status() != StatusCode::RANGE_NOT_SATISFIABLE {
            self.accept(&response, from)?;
        }
        Ok(response)
    }

    fn resolve(&self, from: &Reference, commit: &str, file: &str) -> Result<Url, HubError> {
        self.url(&format!("{}/resolve/{commit}/{file}", from.repository))
    }

    fn url(&self, path: &str) -> Result<Url, HubError> {
        let base = self.endpoint.as_str().trim_end_matches('/');
        Url::parse(&format!("{base}/{path}")).map_err(|error| HubError::Settings(format!("models.endpoint: {error}")))
    }

    /// Sends a request and follows redirects. What is known of a file is in the response that redirects to another host,
    /// so a `HEAD` request ends there.
    async fn send(&self, method: &Method, mut url: Url, from_byte: u64) -> Result<Response, HubError> {
        for _ in 0..=MAX_REDIRECTS {
            let ours = url.origin() == self.endpoint.origin();
            let mut request = self.client.request(method.clone(), url.clone()).header(ACCEPT_ENCODING, "identity");
            if let Some(authorization) = self.authorization.as_ref().filter(|_| ours) {
                request = request.header(AUTHORIZATION, authorization);
            }
            if from_byte > 0 {
                request = request.header(RANGE, format!("bytes={from_byte}-"));
            }
            let response = request.send().await.map_err(|error| unreachable(&url, error))?;
            let Some(next) = redirect(&response) else { return Ok(response) };
            let next = next.map_err(|reason| HubError::Protocol { host: host_of(&url), reason })?;
            if *method == Method::HEAD && next.origin() != self.endpoint.origin() {
                return Ok(response);
            }
            let elsewhere = next.host() != self.endpoint.host();
            if elsewhere && leads_inside(&next).await && !leads_inside(&self.endpoint).await {
                let reason = format!("it redirects to {}, which is not on the Internet", host_of(&next));
                return Err(HubError::Protocol { host: host_of(&url), reason });
            }
            url = next;
        }
        Err(HubError::Protocol { host: host_of(&url), reason: "it redirects without end".to_owned() })
    }

    /// The error of a response that is not a success.
    fn accept(&self, response: &Response, from: &Reference) -> Result<(), HubError> {
        let status = response.status();
        let repository = from.repository.clone();
        match (status.as_u16(), text(response.headers(), "x-error-code")) {
            _ if status.is_success() => Ok(()),
            (404, Some("RevisionNotFound")) => {
                Err(HubError::NoSuchRevision { repository, revision: from.revision.clone() })
            }
            // For a model that the token may not see the hub responds with 401, whether it exists or not.
            (401 | 403 | 404, _) => Err(HubError::NoSuchModel { repository, host: host_of(&self.endpoint) }),
            (status, _) => Err(HubError::Refused { host: host_of(response.url()), status }),
        }
    }
}

/// The URL that a response redirects to, if it does.
fn redirect(response: &Response) -> Option<Result<Url, String>> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let here = response.url();
    let location = text(response.headers(), LOCATION.as_str());
    let next = location.and_then(|location| here.join(location).ok());
    Some(match next {
        Some(next) if next.scheme() == here.scheme() || next.scheme() == "https" => Ok(next),
        Some(_) => Err("it redirects from an encrypted connection to one that is not".to_owned()),
        None => Err("it redirects without a usable URL".to_owned()),
    })
}

/// Whether a URL leads to this machine or its network. A hub on the Internet that redirects there would have this program
/// send requests that only it can send; a mirror within the network may do so.
async fn leads_inside(url: &Url) -> bool {
    let policy = AddressPolicy::default();
    let port = url.port_or_known_default().unwrap_or_default();
    let is_refused = |address: IpAddr| !policy.permits(address);
    match url.host() {
        Some(Host::Ipv4(address)) => is_refused(address.into()),
        Some(Host::Ipv6(address)) => is_refused(address.into()),
        // A name that cannot be resolved here leads nowhere, or a proxy resolves it.
        Some(Host::Domain(name)) => tokio::net::lookup_host((name, port))
            .await
            .is_ok_and(|mut addresses| addresses.any(|address| is_refused(address.ip()))),
        None => true,
    }
}

/// The error's text without the URL: that of a redirect may contain a signature.
pub(super) fn unreachable(url: &Url, error: reqwest::Error) -> HubError {
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(deeper) = cause {
        reason = format!("{reason}: {deeper}");
        cause = deeper.source();
    }
    HubError::Unreachable { host: host_of(url), reason }
}

pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A body of at most `limit` bytes.
async fn whole(mut response: Response, limit: usize) -> Result<Vec<u8>, HubError> {
    let url = response.url().clone();
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| unreachable(&url, error))? {
        if body.len() + piece.len() > limit {
            return Err(HubError::Protocol { host: host_of(&url), reason: "its list of files has no end".to_owned() });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Whether a text is a git commit, and so can be part of a path.
fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[tokio::test]
    async fn an_internal_address_is_known_in_any_notation() {
        for url in
            ["http://127.0.0.1:1/", "http://2130706433/", "http://localhost/", "http://[::1]/", "http://10.1.2.3/"]
        {
            assert!(leads_inside(&url.parse().unwrap()).await, "{url}");
        }
        for url in ["https://93.184.216.34/", "https://[2606:2800:220:1:248:1893:25c8:1946]/"] {
            assert!(!leads_inside(&url.parse().unwrap()).await, "{url}");
        }
    }
}
