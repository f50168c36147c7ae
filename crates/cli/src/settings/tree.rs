//! The tree of settings: names, meaning, defaults, what is allowed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;
use ytcaption_blobstore::{BlobSettings, S3Settings};
use ytcaption_domain::network::AddressPolicy;
use ytcaption_workers::notify::WebhookSettings;

use super::kind::{self, Kind};
use super::reader::Reader;
use super::secret::Secret;

const KIBIBYTE: u64 = 1024;
const GIBIBYTE: u64 = 1024 * 1024 * KIBIBYTE;
const HOUR_SECONDS: u64 = 3600;

/// Temporary files of the workers, within the data folder; emptied when `up` starts.
pub(crate) const WORK_FOLDER: &str = "work";

/// All settings.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) data_dir: PathBuf,
    pub(crate) database: Database,
    pub(crate) nats: Nats,
    pub(crate) storage: BlobSettings,
    pub(crate) api: Api,
    pub(crate) network: Network,
    pub(crate) download: Download,
    pub(crate) transcription: Transcription,
    pub(crate) webhook: Webhook,
    pub(crate) metrics: Metrics,
    pub(crate) log: Log,
    pub(crate) shutdown: Shutdown,
}

#[derive(Debug, Clone)]
pub(crate) struct Database {
    /// None: `up` manages a Postgres of its own.
    pub(crate) url: Option<Secret>,
    pub(crate) max_connections: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Nats {
    /// None: `up` manages a nats-server of its own.
    pub(crate) url: Option<Secret>,
}

#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) listen: SocketAddr,
    pub(crate) max_upload_bytes: u64,
    pub(crate) max_body_bytes: u64,
    /// Where clients find the API, if not at `listen`.
    pub(crate) public_url: Option<Url>,
}

#[derive(Debug, Clone)]
pub(crate) struct Network {
    /// Networks in CIDR form.
    pub(crate) allow: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Download {
    pub(crate) concurrency: usize,
    pub(crate) yt_dlp: PathBuf,
    pub(crate) work_dir: PathBuf,
    pub(crate) timeout: Duration,
    pub(crate) max_bytes: u64,
    pub(crate) max_duration: Duration,
}

#[derive(Debug, Clone)]
pub(crate) struct Transcription {
    /// None: looked for where models usually lie, see [`super::find_model`].
    pub(crate) model: Option<PathBuf>,
    pub(crate) threads: usize,
    pub(crate) concurrency: usize,
    pub(crate) beam_size: usize,
    pub(crate) cache_dir: PathBuf,
    pub(crate) cache_bytes: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    pub(crate) secret: Option<Secret>,
    pub(crate) timeout: Duration,
    pub(crate) concurrency: usize,
    /// Pauses between attempts.
    pub(crate) schedule: Vec<Duration>,
}

#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) listen: Option<SocketAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    Text,
    Json,
}

#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) format: LogFormat,
}

#[derive(Debug, Clone)]
pub(crate) struct Shutdown {
    pub(crate) grace: Duration,
}

/// Reads the whole tree.
pub(super) fn read(r: &mut Reader<'_>, variables: &BTreeMap<String, String>) -> Settings {
    let data_dir = r.value_shown_as(
        "data_dir",
        "Everything that `up` keeps: its Postgres, its nats-server, audio, uploads.\n\
         Default: $XDG_DATA_HOME/ytcaption, else ~/.local/share/ytcaption; for root /var/lib/ytcaption.",
        (default_data_dir(variables), "~/.local/share/ytcaption"),
        kind::path(),
    );
    Settings {
        database: database(r),
        nats: nats(r),
        storage: storage(r, &data_dir),
        api: api(r),
        network: network(r),
        download: download(r, &data_dir),
        transcription: transcription(r, &data_dir),
        webhook: webhook(r),
        metrics: metrics(r),
        log: log(r),
        shutdown: shutdown(r),
        data_dir,
    }
}

fn default_data_dir(variables: &BTreeMap<String, String>) -> PathBuf {
    let absolute = |name: &str| variables.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(base) = absolute("XDG_DATA_HOME") {
        base.join("ytcaption")
    } else if nix::unistd::geteuid().is_root() {
        // Postgres does not run as root, and the user it runs as instead cannot enter root's home.
        PathBuf::from("/var/lib/ytcaption")
    } else {
        absolute("HOME").unwrap_or_default().join(".local/share/ytcaption")
    }
}

fn seconds(range: std::ops::RangeInclusive<u64>) -> Kind<u64> {
    let mut kind = kind::number(range);
    kind.allowed.push_str(" (seconds)");
    kind
}

fn bytes(range: std::ops::RangeInclusive<u64>) -> Kind<u64> {
    let mut kind = kind::number(range);
    kind.allowed.push_str(" (bytes)");
    kind
}

fn database(r: &mut Reader<'_>) -> Database {
    r.section("database", "Postgres, the truth: events and what is read from them.");
    let example = "postgres://user:password@host:5432/ytcaption";
    Database {
        url: r.optional(
            "database.url",
            "Also DATABASE_URL. Without it `ytcaption up` starts a Postgres of its own.",
            example,
            kind::server(&["postgres", "postgresql"], example),
        ),
        max_connections: r.value(
            "database.max_connections",
            "Most connections one process opens.",
            20,
            kind::number(4..=1000),
        ),
    }
}

fn nats(r: &mut Reader<'_>) -> Nats {
    r.section("nats", "NATS JetStream (2.10 or newer): carries events to the workers.");
    let example = "nats://user:password@host:4222";
    Nats {
        url: r.optional(
            "nats.url",
            "Also NATS_URL. Without it `ytcaption up` starts a nats-server of its own.",
            example,
            kind::server(&["nats", "tls"], example),
        ),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Storage {
    Folder,
    S3,
}

fn storage(r: &mut Reader<'_>, data_dir: &Path) -> BlobSettings {
    r.section("storage", "Where audio and uploads lie. All processes must see the same storage.");
    let chosen = r.value(
        "storage.kind",
        "\"folder\" or \"s3\".",
        Storage::Folder,
        kind::one_of(&[("folder", Storage::Folder), ("s3", Storage::S3)]),
    );
    let path = r.optional(
        "storage.path",
        "The folder, for kind \"folder\". Default: `blobs` in the data folder.",
        "/srv/ytcaption/blobs",
        kind::path(),
    );
    let bucket = r.optional("storage.bucket", "The bucket, for kind \"s3\".", "ytcaption", kind::text());
    let endpoint = r.optional(
        "storage.endpoint",
        "Address of a service other than Amazon's.",
        "http://garage:3900",
        web_address(),
    );
    let region = r.value("storage.region", "Region to sign for.", "us-east-1".to_owned(), kind::text());
    let path_style = r.optional(
        "storage.path_style",
        "Whether the bucket stands in the path instead of the host name. Default: true with an endpoint.",
        true,
        kind::flag(),
    );
    let access_key_id = r.optional(
        "storage.access_key_id",
        "Left out: AWS_ACCESS_KEY_ID, the shared profile files, or the instance's role.",
        "GK0123456789",
        kind::text(),
    );
    let secret_access_key = r.optional(
        "storage.secret_access_key",
        "Belongs to access_key_id.",
        "keep it out of files: YTCAPTION_STORAGE__SECRET_ACCESS_KEY",
        kind::secret("a text that is not empty", |text| !text.is_empty()),
    );
    if access_key_id.is_some() != secret_access_key.is_some() {
        r.fault("storage.access_key_id", "must be given together with storage.secret_access_key, or neither");
    }
    match chosen {
        Storage::Folder => {
            if bucket.is_some() {
                r.fault("storage.bucket", "is for kind \"s3\"; set storage.kind = \"s3\" or remove it");
            }
            BlobSettings::Folder { path: path.unwrap_or_else(|| data_dir.join("blobs")) }
        }
        Storage::S3 => {
            if bucket.is_none() && !r.is_set("storage.bucket") {
                r.fault("storage.bucket", "is missing; kind \"s3\" needs the name of an existing bucket");
            }
            BlobSettings::S3(S3Settings {
                bucket: bucket.unwrap_or_default(),
                endpoint: endpoint.map(|url| url.as_str().trim_end_matches('/').to_owned()),
                region,
                path_style,
                access_key_id,
                secret_access_key: secret_access_key.map(|secret| secret.reveal().to_owned()),
            })
        }
    }
}

fn web_address() -> Kind<Url> {
    Kind::parsed(
        "an address that begins with http:// or https://",
        |text| Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https")),
        |url: &Url| toml::Value::String(url.to_string()),
    )
}

fn api(r: &mut Reader<'_>) -> Api {
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
            bytes(KIBIBYTE..=1024 * GIBIBYTE),
        ),
        max_body_bytes: r.value(
            "api.max_body_bytes",
            "Largest JSON body, in bytes.",
            64 * KIBIBYTE,
            bytes(KIBIBYTE..=64 * 1024 * KIBIBYTE),
        ),
        public_url: r.optional(
            "api.public_url",
            "Where others find the API; webhooks carry addresses that begin with it. Default: from api.listen.",
            "https://captions.example.org",
            web_address(),
        ),
    }
}

fn network(r: &mut Reader<'_>) -> Network {
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

fn download(r: &mut Reader<'_>, data_dir: &Path) -> Download {
    r.section("download", "Fetching recordings with yt-dlp and turning them into audio with ffmpeg.");
    Download {
        concurrency: r.value(
            "download.concurrency",
            "How many recordings one process fetches at a time.",
            2,
            kind::number(1..=64),
        ),
        yt_dlp: r.value(
            "download.yt_dlp",
            "The program, on the PATH or with its folder.",
            "yt-dlp".into(),
            kind::path(),
        ),
        work_dir: r
            .optional(
                "download.work_dir",
                "Recordings lie here while they are worked on. Default: `work` in the data folder.",
                "/var/tmp/ytcaption",
                kind::path(),
            )
            .unwrap_or_else(|| data_dir.join(WORK_FOLDER)),
        timeout: Duration::from_secs(r.value(
            "download.timeout_seconds",
            "Longest time one attempt may take.",
            HOUR_SECONDS / 2,
            seconds(10..=24 * HOUR_SECONDS),
        )),
        max_bytes: r.value(
            "download.max_bytes",
            "Largest recording that is fetched, in bytes.",
            2 * GIBIBYTE,
            bytes(KIBIBYTE..=1024 * GIBIBYTE),
        ),
        max_duration: Duration::from_secs(r.value(
            "download.max_duration_seconds",
            "Longest recording that is accepted.",
            4 * HOUR_SECONDS,
            seconds(1..=48 * HOUR_SECONDS),
        )),
    }
}

fn transcription(r: &mut Reader<'_>, data_dir: &Path) -> Transcription {
    r.section("transcription", "Turning audio into text with a Whisper model in CTranslate2 format.");
    Transcription {
        model: r.optional(
            "transcription.model",
            "The model's folder, such as a faster-whisper download.\n\
             Default: `model` in the data folder, else models/demo/model of a checkout.",
            "/srv/models/faster-whisper-small",
            kind::path(),
        ),
        threads: r.value(
            "transcription.threads",
            "Threads for one chunk. For volume, more chunks at a time beat more threads.",
            1,
            kind::number(1..=256),
        ),
        concurrency: r.value(
            "transcription.concurrency",
            "How many chunks one process transcribes at a time.",
            1,
            kind::number(1..=64),
        ),
        beam_size: r.value(
            "transcription.beam_size",
            "Hypotheses followed at a time; 1 is fastest, 5 hears best.",
            5,
            kind::number(1..=20),
        ),
        cache_dir: r
            .optional(
                "transcription.cache_dir",
                "Audio is kept here for the chunks that follow. Default: `work` in the data folder.",
                "/var/tmp/ytcaption",
                kind::path(),
            )
            .unwrap_or_else(|| data_dir.join(WORK_FOLDER)),
        cache_bytes: r.value(
            "transcription.cache_bytes",
            "At most so much audio is kept, in bytes, beside what is being transcribed.",
            GIBIBYTE,
            bytes(0..=1024 * GIBIBYTE),
        ),
    }
}

fn webhook(r: &mut Reader<'_>) -> Webhook {
    r.section("webhook", "Telling others that a job has ended (Standard Webhooks).");
    Webhook {
        secret: r.optional(
            "webhook.secret",
            "Signs every message: 24 to 64 bytes in base64, as `openssl rand -base64 32` prints them.\n\
             Default: `up` makes one and keeps it as webhook-secret in the data folder.",
            "keep it out of files: YTCAPTION_WEBHOOK__SECRET",
            kind::secret("24 to 64 bytes in base64 (`whsec_` may stand before them)", is_webhook_secret),
        ),
        timeout: Duration::from_secs(r.value(
            "webhook.timeout_seconds",
            "Longest wait for a receiver's answer.",
            15,
            seconds(1..=120),
        )),
        concurrency: r.value(
            "webhook.concurrency",
            "How many receivers one process tells at a time.",
            16,
            kind::number(1..=1000),
        ),
        schedule: r
            .value(
                "webhook.retry_seconds",
                "Pauses between attempts; after one failure more than there are pauses, a message is given up.",
                WebhookSettings::SCHEDULE.map(|pause| pause.as_secs()).to_vec(),
                kind::list(seconds(1..=7 * 24 * HOUR_SECONDS)),
            )
            .into_iter()
            .map(Duration::from_secs)
            .collect(),
    }
}

/// Base64 of 24 to 64 bytes has 32 to 88 digits.
fn is_webhook_secret(text: &str) -> bool {
    let digits = text.strip_prefix("whsec_").unwrap_or(text);
    (32..=88).contains(&digits.len())
        && digits.len().is_multiple_of(4)
        && digits.trim_end_matches('=').chars().all(|c| c.is_ascii_alphanumeric() || "+/".contains(c))
}

fn metrics(r: &mut Reader<'_>) -> Metrics {
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

fn log(r: &mut Reader<'_>) -> Log {
    r.section("log", "What the program says on standard error. Traces: set OTEL_EXPORTER_OTLP_ENDPOINT.");
    Log {
        level: r.value(
            "log.level",
            "A level (error, warn, info, debug, trace) or a filter such as \"info,ytcaption_workers=debug\".",
            "info".to_owned(),
            kind::text(),
        ),
        format: r.value(
            "log.format",
            "\"text\" for people, \"json\" for collectors, \"auto\": text on a terminal, else json.",
            LogFormat::Auto,
            kind::one_of(&[("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)]),
        ),
    }
}

fn shutdown(r: &mut Reader<'_>) -> Shutdown {
    r.section("shutdown", "What happens on SIGTERM and SIGINT.");
    Shutdown {
        grace: Duration::from_secs(r.value(
            "shutdown.grace_seconds",
            "How long work in progress may take to end before it is dropped; it is then done again elsewhere.",
            30,
            seconds(1..=600),
        )),
    }
}
