//! What proxies say of the requests that they pass on: who sent it, to which host, below which path. Any client can send
//! these headers too, so they count only if a proxy that the operator trusts is at the other end of the connection.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ApiSettings;
use crate::base_path::BasePath;

/// The headers of proxies that are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeaders {
    /// `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239), which has no prefix.
    Forwarded,
}

/// An entry of `api.trusted_proxies` that is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a network; write it as 10.1.0.0/16 or fd00::/8, a single address as 127.0.0.1")]
pub struct InvalidProxy(String);

/// The proxies whose headers are believed. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Arc<[IpNet]>,
}

impl TrustedProxies {
    /// Those in the networks of `api.trusted_proxies`.
    ///
    /// # Errors
    /// One of them is neither a network nor an address.
    pub fn new(settings: &ApiSettings) -> Result<Self, InvalidProxy> {
        let parse = |text: &String| {
            let address = || text.trim().parse::<IpAddr>().map(IpNet::from);
            text.trim().parse().or_else(|_| address()).map_err(|_| InvalidProxy(text.clone()))
        };
        Ok(Self { networks: settings.trusted_proxies.iter().map(parse).collect::<Result<_, _>>()? })
    }

    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// The address of the client of a request: that at the other end of the connection, or behind trusted proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = crate::problem::ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let missing = || Self::Rejection::Internal { reason: "a request has no address of a client".to_owned() };
        parts.extensions.get().copied().ok_or_else(missing)
    }
}

/// What a trusted proxy says of the URL that the client has requested.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ForwardedUrl {
    /// `http` or `https`.
    pub(crate) scheme: Option<String>,
    /// Host, with the port if it is not the default one.
    pub(crate) host: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for ForwardedUrl {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// How the requests of this interface are understood.
#[derive(Debug, Clone)]
pub(crate) struct Forwarding {
    proxies: TrustedProxies,
    headers: ForwardedHeaders,
    /// The path of `api.public_url`; if there is such a URL, no proxy says another.
    public: Option<BasePath>,
}

impl Forwarding {
    pub(crate) fn new(settings: &ApiSettings, proxies: TrustedProxies) -> Self {
        let public = settings.public_url.as_ref().and_then(|url| BasePath::new(url.path()));
        Self { proxies, headers: settings.forwarded_headers, public }
    }

    /// The client, the URL and the prefix of a request of this peer with these headers.
    fn parse(&self, peer: IpAddr, headers: &HeaderMap) -> (ClientAddress, ForwardedUrl, BasePath) {
        let peer = peer.to_canonical();
        if !self.proxies.trusts(peer) {
            return (ClientAddress(peer), ForwardedUrl::default(), self.public.clone().unwrap_or_default());
        }
        let hops = Hops::new(self.headers, headers);
        // From the nearest proxy on to the first address that is not one of ours.
        let mut client = peer;
        let mut proxies = 0;
        for address in hops.addresses.iter().rev() {
            proxies += 1;
            let Some(address) = address else { break };
            client = *address;
            if !self.proxies.trusts(client) {
                break;
            }
        }
        let of_client = |values: &[String]| values.get(values.len().saturating_sub(proxies.max(1))).cloned();
        let scheme = of_client(&hops.schemes).map(|scheme| scheme.to_ascii_lowercase());
        let url = ForwardedUrl {
            scheme: scheme.filter(|scheme| ["http", "https"].contains(&scheme.as_str())),
            host: of_client(&hops.hosts).filter(|host| !host.is_empty()),
        };
        let prefix = || of_client(&hops.prefixes).and_then(|prefix| BasePath::new(&prefix));
        (ClientAddress(client), url, self.public.clone().or_else(prefix).unwrap_or_default())
    }
}

/// The lists in the headers, each from the client to the nearest proxy.
#[derive(Debug, Default)]
struct Hops {
    /// `None` for one that is not an IP address: `unknown`, or a name that hides it.
    addresses: Vec<Option<IpAddr>>,
    schemes: Vec<String>,
    hosts: Vec<String>,
    prefixes: Vec<String>,
}

impl Hops {
    fn new(read: ForwardedHeaders, headers: &HeaderMap) -> Self {
        match read {
            ForwardedHeaders::XForwarded => Self {
                addresses: list(headers, "x-forwarded-for").iter().map(|text| address(text)).collect(),
                schemes: list(headers, "x-forwarded-proto"),
                hosts: list(headers, "x-forwarded-host"),
                prefixes: list(headers, "x-forwarded-prefix"),
            },
            ForwardedHeaders::Forwarded => {
                let mut hops = Self::default();
                for element in list(headers, "forwarded") {
                    let pair = |wanted: &str| {
                        let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
                        let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?;
                        Some(value.trim().trim_matches('"').to_owned())
                    };
                    hops.addresses.push(pair("for").and_then(|text| address(&text)));
                    // One of each, so that the lists stay in step.
                    hops.schemes.push(pair("proto").unwrap_or_default());
                    hops.hosts.push(pair("host").unwrap_or_default());
                }
                hops
            }
        }
    }
}

/// The elements of a header that is a list and may be given several times.
fn list(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
    values.flat_map(|value| value.split(',')).map(|element| element.trim().to_owned()).collect()
}

/// An address with or without port, an IPv6 one with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let without_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    let found = text.parse::<IpAddr>().ok().or_else(without_brackets);
    found.or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip())).map(|address| address.to_canonical())
}

/// Middleware, before the routes: finds out who sent the request and below which path, and removes that path.
pub(crate) async fn resolve(
    State(forwarding): State<Arc<Forwarding>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let (client, url, base) = forwarding.parse(peer.ip(), request.headers());
    if let Some(stripped) = base.strip(request.uri()) {
        *request.uri_mut() = stripped;
    }
    let extensions = request.extensions_mut();
    extensions.insert(client);
    extensions.insert(url);
    extensions.insert(base.clone());
    let mut response = next.run(request).await;
    // The router's own redirects, such as from /docs to /docs/; handlers make their links themselves.
    if response.status().is_redirection()
        && let Some(location) = response.headers().get(LOCATION).and_then(|value| value.to_str().ok())
        && location.starts_with('/')
        && let Ok(location) = HeaderValue::try_from(base.join(location))
    {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: ForwardedHeaders, peer: &str, headers: &[(&'static str, &str)]) -> (String, ForwardedUrl, String) {
        let settings = ApiSettings {
            trusted_proxies: vec!["127.0.0.1".to_owned(), "10.0.0.0/8".to_owned(), "fd00::/8".to_owned()],
            forwarded_headers: kind,
            ..ApiSettings::default()
        };
        let forwarding = Forwarding::new(&settings, TrustedProxies::new(&settings).expect("networks"));
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(*name, value.parse().expect("a header"));
        }
        let (ClientAddress(client), url, base) = forwarding.parse(peer.parse().expect("an address"), &all);
        (client.to_string(), url, base.join("/"))
    }

    fn client(kind: ForwardedHeaders, peer: &str, name: &'static str, values: &[&str]) -> String {
        let headers: Vec<_> = values.iter().map(|value| (name, *value)).collect();
        parse(kind, peer, &headers).0
    }

    #[test]
    fn the_client_is_the_first_address_that_is_not_a_trusted_proxy() {
        let x = |peer: &str, values: &[&str]| client(ForwardedHeaders::XForwarded, peer, "x-forwarded-for", values);
        assert_eq!(x("192.0.2.9", &["198.51.100.7"]), "192.0.2.9", "anyone can send the header");
        assert_eq!(x("127.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(x("::ffff:127.0.0.1", &["198.51.100.7:4711"]), "198.51.100.7");
        assert_eq!(x("127.0.0.1", &["203.0.113.1, 198.51.100.7", "10.2.3.4"]), "198.51.100.7", "the first is forged");
        assert_eq!(x("127.0.0.1", &["10.9.9.9, 10.2.3.4"]), "10.9.9.9", "a client within the network of the proxies");
        assert_eq!(x("127.0.0.1", &["203.0.113.1, unknown, 10.2.3.4"]), "10.2.3.4");
        assert_eq!(x("fd00::1", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(x("127.0.0.1", &[]), "127.0.0.1");
        let rfc = |values: &[&str]| client(ForwardedHeaders::Forwarded, "127.0.0.1", "forwarded", values);
        assert_eq!(rfc(&["for=203.0.113.1, For=\"[2001:db8::7]:443\";proto=https", "for=10.2.3.4"]), "2001:db8::7");
        assert_eq!(rfc(&["for=_hidden;host=a"]), "127.0.0.1");
        let other = client(ForwardedHeaders::XForwarded, "127.0.0.1", "forwarded", &["for=203.0.113.1"]);
        assert_eq!(other, "127.0.0.1", "only the headers of the setting are read");
    }

    #[test]
    fn scheme_host_and_prefix_come_from_the_proxy_of_the_client() {
        let x = [
            ("x-forwarded-for", "198.51.100.7, 10.1.1.1"),
            ("x-forwarded-proto", "HTTPS, http"),
            ("x-forwarded-host", "captions.example:8443"),
            ("x-forwarded-prefix", "/captions/"),
        ];
        let url =
            |scheme: &str, host: &str| ForwardedUrl { scheme: Some(scheme.to_owned()), host: Some(host.to_owned()) };
        let (_, found, base) = parse(ForwardedHeaders::XForwarded, "127.0.0.1", &x);
        assert_eq!((found, base.as_str()), (url("https", "captions.example:8443"), "/captions/"));
        let (_, found, base) = parse(ForwardedHeaders::XForwarded, "192.0.2.9", &x);
        assert_eq!((found, base.as_str()), (ForwardedUrl::default(), "/"), "not from a trusted proxy");
        let evil = [("x-forwarded-prefix", "//evil.example"), ("x-forwarded-proto", "javascript")];
        let (_, found, base) = parse(ForwardedHeaders::XForwarded, "127.0.0.1", &evil);
        assert_eq!((found, base.as_str()), (ForwardedUrl::default(), "/"));
        let rfc = [("forwarded", "for=198.51.100.7;host=captions.example;proto=https, for=10.1.1.1;host=inner")];
        let (_, found, _) = parse(ForwardedHeaders::Forwarded, "127.0.0.1", &rfc);
        assert_eq!(found, url("https", "captions.example"));
    }

    #[test]
    fn what_is_not_a_network_is_named() {
        let settings = ApiSettings { trusted_proxies: vec!["10.0.0.0/33".to_owned()], ..ApiSettings::default() };
        let error = TrustedProxies::new(&settings).expect_err("no such network").to_string();
        assert!(error.starts_with("`10.0.0.0/33` is not a network"), "{error}");
    }
}
