//! What this process shows to others, and which others it talks to.

use std::net::SocketAddr;

use url::Url;
use ytcaption_domain::network::AddressPolicy;

use super::kind::{self, GIBIBYTE, KIBIBYTE, Kind};
use super::reader::Reader;

#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) listen: SocketAddr,
    pub(crate) max_upload_bytes: u64,
    pub(crate) max_body_bytes: u64,
    pub(crate) max_streams: usize,
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
        public_url: r.optional(
            "api.public_url",
            "Where others find the API; webhooks carry addresses that begin with it. Default: from api.listen.",
            "https://captions.example.org",
            kind::web_address(),
        ),
    }
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
