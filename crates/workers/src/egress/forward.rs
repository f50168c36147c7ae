//! Forwards a plain HTTP request (RFC 9110, section 7.6).

use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{
    CONNECTION, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use hyper::{HeaderMap, Request, Response, Uri, Version};
use hyper_util::rt::TokioIo;

use super::destination::Destination;
use super::route::Upstream;
use super::service::HEAD_LIMIT;

/// Headers that concern one connection only, beside those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Sends the request to the server behind `upstream` and returns its response, whose body is still to be read.
///
/// # Errors
/// The response is not valid HTTP, or its head is too long.
pub(super) async fn forward(
    mut request: Request<Incoming>,
    to: &Destination,
    upstream: Upstream,
) -> Result<Response<Incoming>, hyper::Error> {
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    *request.version_mut() = Version::HTTP_11;
    strip(request.headers_mut());
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    if let Some(host) = to.host_header() {
        request.headers_mut().insert(HOST, host);
    }
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_LIMIT)
        // Small errors of a server are left to the client.
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .handshake(TokioIo::new(upstream))
        .await?;
    // Ends by itself: with the body, or when the body is dropped with the client's connection.
    tokio::spawn(connection);
    let mut response = sender.send_request(request).await?;
    *response.version_mut() = Version::HTTP_11;
    strip(response.headers_mut());
    Ok(response)
}

/// Removes what concerns one connection only.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}
