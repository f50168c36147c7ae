//! What this process shows to others, and which others it talks to.

use std::net::SocketAddr;
use std::time::Duration;

use url::{Host, Url};
use ytcaption_domain::network::AddressPolicy;

use super::kind::{self, GIBIBYTE, KIBIBYTE, Kind};
use super::reader::Reader;

#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) listen: SocketAddr,
    pub(crate) max_upload_bytes: u64,
    pub(crate) max_body_bytes: u64,
    pub(crate) max_streams: usize,
    pub(crate) max_streams_per_client: usize,
    pub(crate) header_timeout: Duration,
    /// In lower case.
    pub(crate) allowed_hosts: Vec<String>,
    /// Where clients find the API, if not at `listen`.
    pub(crate) public_url: Option<Url>,
}

#[derive(Debug, Clone)]
pub(crate) struct Network {
    /// Networks in CIDR form.
    pub(crate) allow: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) listen: Option<SocketAddr>,
}

pub(super) fn api(r: &mut Reader<'_>) -> Api {
    r.section("api", "The REST interface. It has no sign-in yet: keep it on loopback or behind a proxy that has.");
    Api {
        listen: r.value(
            "api.listen",
            "Address and port; port 0 takes a free one.",
            SocketAddr::from(([127, 0, 0, 1], 8000)),
            kind::address(),
        ),
        max_upload_bytes: r.value(
            "api.max_upload_bytes",
            "Largest recording that can be uploaded, in bytes.",
            2 * GIBIBYTE,
            kind::bytes(KIBIBYTE..=1024 * GIBIBYTE),
        ),
        max_body_bytes: r.value(
            "api.max_body_bytes",
            "Largest JSON body, in bytes.",
            64 * KIBIBYTE,
            kind::bytes(KIBIBYTE..=64 * 1024 * KIBIBYTE),
        ),
        max_streams: r.value(
            "api.max_streams",
            "Clients that captions are streamed to at a time; each may cost some hundred kilobytes.",
            500,
            kind::number(1..=100_000),
        ),
        max_streams_per_client: r.value(
            "api.max_streams_per_client",
            "Of these, streams to one client: one address, as seen by this server (of IPv6 its first 64 bits). All who\n\
             come through one proxy are one client, because headers that name another address can be forged.",
            50,
            kind::number(1..=100_000),
        ),
        header_timeout: Duration::from_secs(r.value(
            "api.header_timeout_seconds",
            "A connection is closed when no whole request head arrives for so long, also between two requests.",
            30,
            kind::seconds(1..=3600),
        )),
        allowed_hosts: r.value(
            "api.allowed_hosts",
            "Names that clients may ask for, beside localhost, IP addresses and the name in api.public_url, such as\n\
             [\"captions.example.org\"]. Not on loopback and none named: any. Others are refused, because a web page can\n\
             make a name of its own lead here (DNS rebinding).",
            Vec::new(),
            kind::list(host_name()),
        ),
        public_url: r.optional(
            "api.public_url",
            "Where others find the API; webhooks carry addresses that begin with it. Default: from api.listen.",
            "https://captions.example.org",
            kind::web_address(),
        ),
    }
}

fn host_name() -> Kind<String> {
    Kind::parsed(
        "a host name such as captions.example.org, without scheme and port",
        |text| match Host::parse(text) {
            Ok(Host::Domain(name)) => Some(name),
            _ => None,
        },
        |name| toml::Value::String(name.clone()),
    )
}

pub(super) fn network(r: &mut Reader<'_>) -> Network {
    r.section("network", "Which addresses recordings may be fetched from and webhooks sent to.");
    Network {
        allow: r.value(
            "network.allow",
            "Private networks that are exempt from the ban on private, loopback and link-local addresses,\n\
             such as [\"10.1.0.0/16\", \"127.0.0.1/32\"].",
            Vec::new(),
            kind::list(Kind::parsed(
                "a network such as 10.1.0.0/16",
                |text| AddressPolicy::new([text]).is_ok().then(|| text.to_owned()),
                |network| toml::Value::String(network.clone()),
            )),
        ),
    }
}

pub(super) fn metrics(r: &mut Reader<'_>) -> Metrics {
    r.section("metrics", "Metrics and health of processes that do not serve the API (relay, project, worker).");
    Metrics {
        listen: r.optional(
            "metrics.listen",
            "Serves /metrics and /health there. Default: not served.",
            "127.0.0.1:9090",
            kind::address(),
        ),
    }
}
