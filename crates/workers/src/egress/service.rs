//! The HTTP service of a proxy: it authenticates clients, connects by the policy, and forwards or tunnels.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::destination::Destination;
use super::error::{Blocked, EgressError};
use super::forward::forward;
use super::route::{Route, Upstream};
use crate::network::NetworkError;

/// Longest head of a request or a response, in bytes.
pub(super) const HEAD_LIMIT: usize = 64 * 1024;
/// Longest time until a head has arrived, and so between two requests of a connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// User name in the URL of a proxy; only the password is checked.
const USER: &str = "download";
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"ytcaption download\"");

type ProxyResponse = Response<Either<Full<Bytes>, Incoming>>;

/// A `CONNECT` that was accepted: from then on, bytes.
struct Tunnel {
    client: OnUpgrade,
    upstream: Upstream,
}

/// The credentials of one proxy, as a request has them (Basic, RFC 7617).
pub(super) struct ProxyCredentials {
    header: String,
}

impl ProxyCredentials {
    /// New credentials, and the text for a URL (`user:password`). 244 bits of the password are random.
    pub(super) fn generate() -> (Self, String) {
        let userinfo = format!("{USER}:{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        (Self { header: format!("Basic {}", BASE64_STANDARD.encode(&userinfo)) }, userinfo)
    }

    fn authorize(&self, headers: &HeaderMap) -> bool {
        let matches = |given: &[u8]| verify_slices_are_equal(given, self.header.as_bytes()).is_ok();
        headers.get(PROXY_AUTHORIZATION).is_some_and(|given| matches(given.as_bytes()))
    }
}

/// The service that all connections to a proxy share.
pub(super) struct ProxyService {
    route: Route,
    credentials: ProxyCredentials,
    blocked: Mutex<Option<Blocked>>,
}

impl ProxyService {
    pub(super) fn new(route: Route, credentials: ProxyCredentials) -> Self {
        Self { route, credentials, blocked: Mutex::default() }
    }

    pub(super) fn blocked(&self) -> Option<Blocked> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_blocked(&self, blocked: Option<Blocked>) {
        *self.blocked.lock().unwrap_or_else(PoisonError::into_inner) = blocked;
    }

    /// Serves one client until it disconnects.
    pub(super) async fn serve(self: Arc<Self>, client: TcpStream) {
        let tunnel = Mutex::new(None);
        let (service, accepted) = (&*self, &tunnel);
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_LIMIT)
            .serve_connection(TokioIo::new(client), service_fn(move |request| service.respond(request, accepted)))
            .with_upgrades()
            .await;
        let tunnel = tunnel.into_inner().unwrap_or_else(PoisonError::into_inner);
        let ended = match (served, tunnel) {
            (Ok(()), Some(tunnel)) => tunnel.run().await.map_err(|error| error.to_string()),
            (served, _) => served.map_err(|error| error.to_string()),
        };
        if let Err(reason) = ended {
            tracing::debug!(reason, "a connection of a download ended early");
        }
    }

    /// An error closes the client's connection, as the server has closed the connection of the proxy.
    async fn respond(
        &self,
        request: Request<Incoming>,
        tunnel: &Mutex<Option<Tunnel>>,
    ) -> Result<ProxyResponse, hyper::Error> {
        if !self.credentials.authorize(request.headers()) {
            let mut response =
                text_response(StatusCode::PROXY_AUTHENTICATION_REQUIRED, "this proxy is for one download only");
            response.headers_mut().insert(PROXY_AUTHENTICATE, CHALLENGE);
            return Ok(response);
        }
        let opened = match Destination::from_request(&request) {
            Ok(to) => self.open(to).await,
            Err(blocked) => Err(blocked),
        };
        let (to, upstream) = match opened {
            Ok(opened) => opened,
            Err(blocked) => {
                let Blocked { destination, error } = &blocked;
                tracing::info!(destination, %error, "a connection of a download was blocked");
                let response = text_response(status_of(error), &error.to_string());
                self.set_blocked(Some(blocked));
                return Ok(response);
            }
        };
        self.set_blocked(None);
        if to.tunnel {
            let client = hyper::upgrade::on(request);
            *tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(Tunnel { client, upstream });
            return Ok(text_response(StatusCode::OK, ""));
        }
        Ok(forward(request, &to, upstream).await?.map(Either::Right))
    }

    async fn open(&self, to: Destination) -> Result<(Destination, Upstream), Blocked> {
        match self.route.connect(&to).await {
            Ok(upstream) => Ok((to, upstream)),
            Err(error) => Err(Blocked { destination: to.authority, error }),
        }
    }
}

impl Tunnel {
    async fn run(mut self) -> std::io::Result<()> {
        let client = self.client.await.map_err(std::io::Error::other)?;
        tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut self.upstream).await.map(drop)
    }
}

fn text_response(status: StatusCode, text: &str) -> ProxyResponse {
    let mut response = Response::new(Either::Left(Full::from(text.to_owned())));
    *response.status_mut() = status;
    response
}

fn status_of(error: &EgressError) -> StatusCode {
    match error {
        EgressError::Network(NetworkError::Refused(_) | NetworkError::Internal { .. }) => StatusCode::FORBIDDEN,
        EgressError::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    }
}
