//! How the REST interface is set up: the section `[api]` of the settings.
#![expect(clippy::doc_markdown, reason = "these texts are comments in ytcaption.toml, which is not Markdown")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_with::{DurationSeconds, serde_as};
use url::Url;

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
    /// Of these, streams to one client: one IP address, as seen by this server (of IPv6 its first 64 bits). All clients
    /// behind one proxy count as one, because headers that name another address can be forged.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_streams_per_client: usize,
    /// A connection is closed when no complete request head arrives within this time, also between two requests.
    #[serde(rename = "header_timeout_seconds")]
    #[serde_as(as = "DurationSeconds<u64>")]
    #[schemars(range(min = 1, max = 3600))]
    pub header_timeout: Duration,
    /// Host names that the API answers to, beside localhost, IP addresses and the host of api.public_url, such as
    /// `["captions.example.org"]`. Empty: on loopback no other, elsewhere any. Requests for other hosts are refused,
    /// because a web page can make a name of its own resolve to this address (DNS rebinding).
    pub allowed_hosts: Vec<String>,
    /// URL at which clients reach the API; the URLs in webhooks begin with it. Default: from api.listen.
    #[schemars(example = &"https://captions.example.org")]
    pub public_url: Option<Url>,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            max_upload_bytes: 2 * GIBIBYTE,
            max_body_bytes: 64 * KIBIBYTE,
            max_streams: 500,
            max_streams_per_client: 50,
            header_timeout: Duration::from_secs(30),
            allowed_hosts: Vec::new(),
            public_url: None,
        }
    }
}
