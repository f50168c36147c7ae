//! The destination of a request to the proxy.

use hyper::header::HeaderValue;
use hyper::http::uri::Scheme;
use hyper::{Method, Request, Uri};
use ytcaption_domain::network::AddressRefusal;

use super::error::Blocked;
use crate::network::NetworkError;

/// The port of an `http` URL that names none.
const HTTP_PORT: u16 = 80;

/// A host, by name or by address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    /// IPv6 without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Host and port as in the request, for the `Host` header; without user and password.
    pub(super) authority: String,
    /// Whether bytes are tunnelled without being interpreted.
    pub(super) tunnel: bool,
}

impl Destination {
    /// Reads the request's target: host and port after `CONNECT`, else an absolute `http` URL (RFC 9112, section 3.2).
    ///
    /// # Errors
    /// Another scheme, or no host.
    pub(super) fn from_request<B>(request: &Request<B>) -> Result<Self, Blocked> {
        let uri = request.uri();
        Self::from_uri(uri, request.method() == Method::CONNECT).map_err(|refusal| Blocked {
            destination: uri.host().unwrap_or_default().to_owned(),
            error: NetworkError::from(refusal).into(),
        })
    }

    fn from_uri(uri: &Uri, tunnel: bool) -> Result<Self, AddressRefusal> {
        match uri.scheme() {
            None if tunnel => {}
            Some(scheme) if !tunnel && *scheme == Scheme::HTTP => {}
            Some(scheme) => return Err(AddressRefusal::Scheme(scheme.to_string())),
            None => return Err(AddressRefusal::NoHost),
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(AddressRefusal::NoHost)?;
        let port = match uri.port_u16() {
            Some(port) => port,
            None if tunnel => return Err(AddressRefusal::NoHost),
            None => HTTP_PORT,
        };
        let authority = uri.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        Ok(Self { host, port, authority, tunnel })
    }

    /// The value of the `Host` header.
    pub(super) fn host_header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.authority).ok()
    }

    /// The URL without its path, for the operator's rules about proxies.
    pub(super) fn origin(&self) -> Option<Uri> {
        let scheme = if self.tunnel { "https" } else { "http" };
        format!("{scheme}://{}/", self.authority).parse().ok()
    }
}
