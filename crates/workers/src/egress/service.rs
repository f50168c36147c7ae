//! What a proxy answers: who may use it, where to, and what becomes of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderValue, PROXY_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::destination::Destination;
use super::error::{Blocked, EgressError};
use super::forward::forward;
use super::key::Key;
use super::route::{Route, Upstream};
use crate::network::NetworkError;

/// Longest head of a request or an answer, in bytes.
pub(super) const HEAD_LIMIT: usize = 64 * 1024;
/// Longest time until a head has come whole, and so the longest pause between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"ytcaption download\"");

type Answer = Response<Either<Full<Bytes>, Incoming>>;

/// A `CONNECT` that was let through: from now on, bytes.
struct Tunnel {
    client: OnUpgrade,
    upstream: Upstream,
}

/// What all connections to a proxy have in common.
pub(super) struct ProxyService {
    route: Route,
    key: Key,
    blocked: Mutex<Option<Blocked>>,
}

impl ProxyService {
    pub(super) fn new(route: Route, key: Key) -> Self {
        Self { route, key, blocked: Mutex::default() }
    }

    pub(super) fn blocked(&self) -> Option<Blocked> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, blocked: Option<Blocked>) {
        *self.blocked.lock().unwrap_or_else(PoisonError::into_inner) = blocked;
    }

    /// Serves one client until it leaves.
    pub(super) async fn serve(self: Arc<Self>, client: TcpStream) {
        let tunnel = Mutex::new(None);
        let (gate, accepted) = (&*self, &tunnel);
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_LIMIT)
            .serve_connection(TokioIo::new(client), service_fn(move |request| gate.answer(request, accepted)))
            .with_upgrades()
            .await;
        let tunnel = tunnel.into_inner().unwrap_or_else(PoisonError::into_inner);
        let ended = match (served, tunnel) {
            (Ok(()), Some(tunnel)) => tunnel.run().await.map_err(|error| error.to_string()),
            (served, _) => served.map_err(|error| error.to_string()),
        };
        if let Err(reason) = ended {
            tracing::debug!(reason, "a connection of a download broke off");
        }
    }

    /// An error breaks the client's connection off, just as the server broke off ours.
    async fn answer(&self, request: Request<Incoming>, tunnel: &Mutex<Option<Tunnel>>) -> Result<Answer, hyper::Error> {
        if !self.key.opens(request.headers()) {
            let mut answer = said(StatusCode::PROXY_AUTHENTICATION_REQUIRED, "this proxy is for one download only");
            answer.headers_mut().insert(PROXY_AUTHENTICATE, CHALLENGE);
            return Ok(answer);
        }
        let opened = match Destination::of(&request) {
            Ok(to) => self.open(to).await,
            Err(blocked) => Err(blocked),
        };
        let (to, upstream) = match opened {
            Ok(opened) => opened,
            Err(blocked) => {
                let Blocked { destination, error } = &blocked;
                tracing::info!(destination, %error, "a download was not let through");
                let answer = said(status_of(error), &error.to_string());
                self.note(Some(blocked));
                return Ok(answer);
            }
        };
        self.note(None);
        if to.tunnel {
            let client = hyper::upgrade::on(request);
            *tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(Tunnel { client, upstream });
            return Ok(said(StatusCode::OK, ""));
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

fn said(status: StatusCode, text: &str) -> Answer {
    let mut answer = Response::new(Either::Left(Full::from(text.to_owned())));
    *answer.status_mut() = status;
    answer
}

fn status_of(error: &EgressError) -> StatusCode {
    match error {
        EgressError::Network(NetworkError::Refused(_)) => StatusCode::FORBIDDEN,
        EgressError::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    }
}
