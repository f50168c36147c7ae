//! Under which names this server is asked.
//!
//! A page can have the name of its own site resolve to 127.0.0.1 (DNS rebinding). To the browser our answers then belong
//! to that site, and neither CORS nor `Sec-Fetch-Site` keep the page from reading and changing everything. What gives it
//! away is the header `Host`, which has the name of the site and which no page can change.

use std::net::SocketAddr;

use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};
use url::Host;

use crate::ApiSettings;

/// The names that this server answers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    /// Lower case. None: whatever name it is asked under.
    names: Option<Vec<String>>,
}

impl From<&ApiSettings> for Hosts {
    fn from(settings: &ApiSettings) -> Self {
        let public = settings.public_url.as_ref().and_then(|url| url.host_str()).map(str::to_owned);
        Self::new(settings.listen, settings.allowed_hosts.clone(), public)
    }
}

impl Hosts {
    /// Those of a server that listens there. On loopback it answers to the names that are allowed, its public one and
    /// `localhost`; elsewhere its names are its operator's affair, so it answers to all unless some are allowed.
    ///
    /// To an IP address it answers always: an address is no name that could be made to mean another.
    pub fn new(listen: SocketAddr, allowed: Vec<String>, public: Option<String>) -> Self {
        let is_checked = listen.ip().is_loopback() || !allowed.is_empty();
        // As browsers send them: in lower case and in Punycode.
        let normalized = |name: String| Host::parse(&name).map_or(name, |host| host.to_string());
        let names = allowed.into_iter().chain(public).map(normalized).collect();
        Self { names: is_checked.then_some(names) }
    }

    /// The name that the request is for, unless this server answers to it. A request without any comes from no browser.
    pub(crate) fn foreign(&self, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        let names = self.names.as_ref()?;
        let of_headers =
            headers.get_all(HOST).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let mut asked = uri.authority().map(ToString::to_string).into_iter().chain(of_headers);
        asked.find(|authority| !is_ours(authority, names))
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

    fn foreign(hosts: &Hosts, asked: &[&str]) -> Option<String> {
        let headers = asked.iter().map(|value| (HOST, value.parse().expect("a header"))).collect();
        hosts.foreign(&Uri::from_static("/metrics"), &headers)
    }

    #[test]
    fn on_loopback_only_names_that_are_ours_are_answered() {
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
            assert_eq!(foreign(&hosts, &[ours]), None, "{ours}");
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
            assert_eq!(foreign(&hosts, &[other]).as_deref(), Some(other));
        }
        assert_eq!(foreign(&hosts, &["localhost", "evil.example"]).as_deref(), Some("evil.example"), "given twice");
        let absolute = Uri::from_static("http://evil.example/metrics");
        assert!(hosts.foreign(&absolute, &HeaderMap::new()).is_some(), "as a proxy is asked");
        assert_eq!(foreign(&hosts, &[]), None);
    }

    #[test]
    fn elsewhere_any_name_will_do_unless_some_are_named() {
        let everywhere = "0.0.0.0:8000".parse().expect("an address");
        let public = Some("captions.example.org".to_owned());
        let any = Hosts::new(everywhere, vec![], public);
        assert_eq!(foreign(&any, &["anything.example"]), None, "its public name need not be its only one");
        let named = Hosts::new(everywhere, vec!["captions.example.org".to_owned()], None);
        assert!(foreign(&named, &["anything.example"]).is_some());
        assert_eq!(foreign(&named, &["10.1.2.3:8000"]), None, "a probe of a cluster asks by number");
    }
}
