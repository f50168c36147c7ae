//! How the REST interface is set up: the section `[api]` of the settings.
#![expect(clippy::doc_markdown, reason = "these texts are comments in ytcaption.toml, which is not Markdown")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_with::{DurationSeconds, serde_as};
use url::Url;

use crate::ForwardedHeaders;

const KIBIBYTE: u64 = 1024;
const GIBIBYTE: u64 = 1024 * 1024 * KIBIBYTE;
/// Port the interface listens on when no other is set.
const DEFAULT_PORT: u16 = 8000;

/// The REST interface. It has no sign-in yet: keep it on loopback or behind a proxy that has one.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApiSettings {
    /// IP address and port to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Largest file that can be uploaded, in bytes.
    #[schemars(range(min = 1024, max = 1_099_511_627_776_u64))]
    pub max_upload_bytes: u64,
    /// Largest JSON body, and largest sum of the text fields of a form, in bytes.
    #[schemars(range(min = 1024, max = 67_108_864))]
    pub max_body_bytes: u64,
    /// Clients that captions are streamed to at a time; each may cost some hundred kilobytes.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_streams: usize,
    /// Of these, streams to one client: one IP address (of IPv6 its first 64 bits). All clients behind one proxy count as
    /// one, unless it is one of api.trusted_proxies.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_streams_per_client: usize,
    /// Connections at a time, fewer if the operating system permits this process fewer open files; one more is closed at once.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: usize,
    /// Of these, connections of one client, at most half. Those of trusted proxies are not counted.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections_per_client: usize,
    /// An upload that brings fewer bytes a second over a minute is ended.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    pub min_upload_bytes_per_second: u64,
    /// A connection is closed when no complete request head arrives within this time, also between two requests.
    #[serde(rename = "header_timeout_seconds")]
    #[serde_as(as = "DurationSeconds<u64>")]
    #[schemars(range(min = 1, max = 3600))]
    pub header_timeout: Duration,
    /// Host names that the API answers to, beside localhost, IP addresses and the host of api.public_url, such as
    /// `["captions.example.org"]`. Empty: on loopback no other, elsewhere any. Requests for other hosts are refused,
    /// because a web page can make a name of its own resolve to this address (DNS rebinding).
    pub allowed_hosts: Vec<String>,
    /// URL at which clients reach the API; the URLs in webhooks begin with it. Default: from api.listen. It may have a
    /// path, below which a proxy offers the API: every link then begins with that path, and requests are understood with
    /// it and without.
    #[schemars(example = &"https://captions.example.org")]
    pub public_url: Option<Url>,
    /// Addresses or networks of proxies, such as `["127.0.0.1", "10.1.0.0/16"]`, that are believed what they say of the
    /// client: its address, and the host, scheme and path prefix of the URL if api.public_url is not set. Such a proxy must
    /// set or remove each of these headers itself, or a client can forge them.
    pub trusted_proxies: Vec<String>,
    /// Which headers of these proxies: x-forwarded (X-Forwarded-For, -Proto, -Host, -Prefix) or forwarded (RFC 7239).
    pub forwarded_headers: ForwardedHeaders,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            max_upload_bytes: 2 * GIBIBYTE,
            max_body_bytes: 64 * KIBIBYTE,
            max_streams: 500,
            max_streams_per_client: 50,
            max_connections: 4096,
            max_connections_per_client: 2048,
            min_upload_bytes_per_second: KIBIBYTE,
            header_timeout: Duration::from_secs(30),
            allowed_hosts: Vec::new(),
            public_url: None,
            trusted_proxies: Vec::new(),
            forwarded_headers: ForwardedHeaders::XForwarded,
        }
    }
}
