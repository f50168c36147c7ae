//! The host names of this server.
//!
//! A page can have the name of its own site resolve to 127.0.0.1 (DNS rebinding). For the browser this server's answers
//! then belong to that site, and neither CORS nor `Sec-Fetch-Site` keep the page from reading and changing everything.
//! The header `Host` reveals it: it has the name of the site, and no page can change it.

use std::net::SocketAddr;

use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};
use url::{Host, Url};

use crate::ApiSettings;
use crate::forwarded::ForwardedUrl;

/// The names that this server answers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    /// The names beside `localhost` and IP addresses, in lower case.
    names: Vec<String>,
    /// Whether requests for other names are refused.
    is_checked: bool,
}

impl From<&ApiSettings> for Hosts {
    fn from(settings: &ApiSettings) -> Self {
        let public = settings.public_url.as_ref().and_then(|url| url.host_str()).map(str::to_owned);
        Self::new(settings.listen, settings.allowed_hosts.clone(), public)
    }
}

impl Hosts {
    /// Those of a server that listens on `listen`. On loopback it answers to the names in `allowed`, to its public one
    /// and to `localhost`; elsewhere to every name, unless `allowed` has some.
    ///
    /// It always answers to an IP address: an IP address does not resolve to another one.
    pub fn new(listen: SocketAddr, allowed: Vec<String>, public: Option<String>) -> Self {
        let is_checked = listen.ip().is_loopback() || !allowed.is_empty();
        // As browsers send them: in lower case and in Punycode.
        let normalized = |name: String| Host::parse(&name).map_or(name, |host| host.to_string());
        let names = allowed.into_iter().chain(public).map(normalized).collect();
        Self { names, is_checked }
    }

    /// Whether a page of this origin (the header `Origin`) is one of this server: its host and port are those that the
    /// request is for, or its host is one of the server's own names, as behind a proxy that replaces the header `Host`. What
    /// a trusted proxy says of the URL precedes that header.
    pub(crate) fn is_own_origin(&self, origin: &str, headers: &HeaderMap, url: &ForwardedUrl) -> bool {
        let Some(origin) = Url::parse(origin).ok().filter(|url| matches!(url.scheme(), "http" | "https")) else {
            // `null`: a page of no site, such as a sandboxed frame.
            return false;
        };
        let (Some(host), Some(port)) = (origin.host(), origin.port_or_known_default()) else { return false };
        if url.scheme.as_ref().is_some_and(|scheme| scheme != origin.scheme()) {
            return false;
        }
        let requested = url.host.as_deref().or_else(|| headers.get(HOST)?.to_str().ok());
        let is_requested = requested
            .and_then(|authority| Url::parse(&format!("{}://{authority}", origin.scheme())).ok())
            .is_some_and(|url| url.host().as_ref() == Some(&host) && url.port_or_known_default() == Some(port));
        is_requested || matches!(host, Host::Domain(name) if self.names.iter().any(|ours| ours == name))
    }

    /// The name in a request that this server does not answer to, if there is one. A request without a name does not come
    /// from a browser.
    pub(crate) fn not_allowed(&self, uri: &Uri, headers: &HeaderMap, url: &ForwardedUrl) -> Option<String> {
        if !self.is_checked {
            return None;
        }
        let of_headers =
            headers.get_all(HOST).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let mut requested =
            uri.authority().map(ToString::to_string).into_iter().chain(of_headers).chain(url.host.clone());
        requested.find(|authority| !is_ours(authority, &self.names))
    }
}

fn is_ours(authority: &str, names: &[String]) -> bool {
    let host = authority.parse::<Authority>().ok().and_then(|authority| Host::parse(authority.host()).ok());
    match host {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            // Loopback by definition (RFC 6761, section 6.3).
            name == "localhost" || name.ends_with(".localhost") || names.iter().any(|ours| ours == name)
        }
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_allowed(hosts: &Hosts, requested: &[&str]) -> Option<String> {
        let headers = requested.iter().map(|value| (HOST, value.parse().expect("a header"))).collect();
        hosts.not_allowed(&Uri::from_static("/metrics"), &headers, &ForwardedUrl::default())
    }

    #[test]
    fn on_loopback_only_the_names_of_the_server_are_allowed() {
        let loopback = "127.0.0.1:8000".parse().expect("an address");
        let (allowed, public) = ("Captions.example.org".to_owned(), "subtitles.example.org".to_owned());
        let hosts = Hosts::new(loopback, vec![allowed], Some(public));
        for ours in [
            "localhost",
            "LOCALHOST:8000",
            "a.localhost.",
            "127.0.0.1:9",
            "[::1]:8000",
            "10.1.2.3",
            "captions.example.org:443",
            "CAPTIONS.EXAMPLE.ORG",
            "subtitles.example.org",
        ] {
            assert_eq!(not_allowed(&hosts, &[ours]), None, "{ours}");
        }
        for other in [
            "evil.example:8000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "captions.example.org.evil.example",
            "xlocalhost",
            "",
            "a b",
            "localhost:8000:9",
        ] {
            assert_eq!(not_allowed(&hosts, &[other]).as_deref(), Some(other));
        }
        assert_eq!(not_allowed(&hosts, &["localhost", "evil.example"]).as_deref(), Some("evil.example"), "given twice");
        let absolute = Uri::from_static("http://evil.example/metrics");
        assert!(
            hosts.not_allowed(&absolute, &HeaderMap::new(), &ForwardedUrl::default()).is_some(),
            "as a request to a proxy has it"
        );
        assert_eq!(not_allowed(&hosts, &[]), None);
    }

    #[test]
    fn a_page_is_of_this_server_if_its_origin_is_the_requested_host_or_a_name_of_the_server() {
        let listen = "0.0.0.0:8000".parse().expect("an address");
        let hosts = Hosts::new(listen, vec![], Some("Captions.example.org".to_owned()));
        for (origin, host, is_own) in [
            ("http://192.168.1.5:8000", "192.168.1.5:8000", true),
            ("http://captions.lan", "CAPTIONS.lan:80", true),
            ("https://captions.lan", "captions.lan", true),
            ("http://[fd00::1]:8000", "[fd00::1]:8000", true),
            ("https://captions.example.org", "127.0.0.1:8000", true),
            ("http://evil.example", "192.168.1.5:8000", false),
            ("http://192.168.1.5:9000", "192.168.1.5:8000", false),
            ("http://192.168.1.5", "192.168.1.5:8000", false),
            ("http://captions.lan.evil.example", "captions.lan", false),
            ("null", "192.168.1.5:8000", false),
            ("", "192.168.1.5:8000", false),
            ("file://192.168.1.5", "192.168.1.5", false),
        ] {
            let headers = HeaderMap::from_iter([(HOST, host.parse().expect("a header"))]);
            assert_eq!(hosts.is_own_origin(origin, &headers, &ForwardedUrl::default()), is_own, "{origin} at {host}");
        }
        assert!(!hosts.is_own_origin("http://192.168.1.5", &HeaderMap::new(), &ForwardedUrl::default()));
        let url = ForwardedUrl { scheme: Some("https".to_owned()), host: Some("captions.lan:8443".to_owned()) };
        let headers = HeaderMap::from_iter([(HOST, "127.0.0.1:8000".parse().expect("a header"))]);
        assert!(hosts.is_own_origin("https://captions.lan:8443", &headers, &url), "as the proxy says");
        assert!(!hosts.is_own_origin("http://captions.lan:8443", &headers, &url), "another scheme");
        assert!(!hosts.is_own_origin("https://127.0.0.1:8000", &headers, &url));
        let loopback = Hosts::new("127.0.0.1:8000".parse().expect("an address"), vec![], None);
        let refused = loopback.not_allowed(&Uri::from_static("/"), &headers, &url);
        assert_eq!(refused.as_deref(), Some("captions.lan:8443"), "the name that the browser used counts");
    }

    #[test]
    fn elsewhere_every_name_is_allowed_unless_some_are_listed() {
        let everywhere = "0.0.0.0:8000".parse().expect("an address");
        let public = Some("captions.example.org".to_owned());
        let any = Hosts::new(everywhere, vec![], public);
        assert_eq!(not_allowed(&any, &["anything.example"]), None, "its public name need not be its only one");
        let named = Hosts::new(everywhere, vec!["captions.example.org".to_owned()], None);
        assert!(not_allowed(&named, &["anything.example"]).is_some());
        assert_eq!(not_allowed(&named, &["10.1.2.3:8000"]), None, "a probe of a cluster uses the IP address");
    }
}
