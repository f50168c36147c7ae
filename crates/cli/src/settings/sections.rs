//! The sections of the settings that belong to no other crate.
#![expect(clippy::doc_markdown, reason = "these texts are comments in ytcaption.toml, which is not Markdown")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use serde_with::{DurationSeconds, serde_as};

/// Settings outside any section.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TopLevel {
    /// Everything that `up` keeps: its Postgres, its nats-server, audio, uploads. Directories and files below that are
    /// given as relative paths are within it.
    /// Default: $XDG_DATA_HOME/ytcaption, else ~/.local/share/ytcaption; for root /var/lib/ytcaption.
    #[schemars(example = &"~/.local/share/ytcaption")]
    pub(super) data_dir: Option<PathBuf>,
}

/// Postgres, which stores the events and everything that is derived from them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DatabaseSettings {
    /// Also DATABASE_URL. Without it `ytcaption up` starts a Postgres of its own.
    #[schemars(
        with = "Option<String>",
        extend("format" = "uri"),
        example = &"postgres://user:password@host:5432/ytcaption"
    )]
    pub(crate) url: Option<SecretString>,
    /// The same database as its owner, for `ytcaption migrate`: creates the schema, creates the role in database.url if
    /// it is missing, and permits it to add and read events, never to change them. No service needs it.
    #[schemars(
        with = "Option<String>",
        extend("format" = "uri"),
        example = &"postgres://owner:password@host:5432/ytcaption"
    )]
    pub(crate) owner_url: Option<SecretString>,
    /// Most connections that one process opens.
    #[schemars(range(min = 4, max = 1000))]
    pub(crate) max_connections: u32,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self { url: None, owner_url: None, max_connections: 20 }
    }
}

/// NATS JetStream (2.10 or newer), which carries events to the workers.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NatsSettings {
    /// Also NATS_URL. Without it `ytcaption up` starts a nats-server of its own.
    #[schemars(with = "Option<String>", extend("format" = "uri"), example = &"nats://user:password@host:4222")]
    pub(crate) url: Option<SecretString>,
}

/// Which addresses media may be downloaded from and webhooks sent to.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NetworkSettings {
    /// Private networks that are exempt from the ban on private, loopback and link-local addresses,
    /// such as `["10.1.0.0/16", "127.0.0.1/32"]`.
    pub(crate) allow: Vec<String>,
}

/// The keys that encrypt the personal content of events (docs/encryption.md).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EncryptionSettings {
    /// The master key: 32 random bytes in base64, as `openssl rand -base64 32` makes them. All processes of a system need
    /// the same one. Default: the key in master_key_file.
    #[schemars(with = "Option<String>", extend("format" = "password"), example = &"keep it out of files: YTCAPTION_ENCRYPTION__MASTER_KEY")]
    pub(crate) master_key: Option<SecretString>,
    /// A file with the master key, used if master_key is not set. `ytcaption up` creates it. A relative path is within
    /// data_dir.
    pub(crate) master_key_file: PathBuf,
    /// Files with earlier master keys, while data keys that they wrap are left: `ytcaption keys rewrap` wraps those with the
    /// current one. Relative paths are within data_dir.
    pub(crate) previous_key_files: Vec<PathBuf>,
}

impl Default for EncryptionSettings {
    fn default() -> Self {
        Self { master_key: None, master_key_file: "master-key".into(), previous_key_files: Vec::new() }
    }
}

/// The key that signs events, so that `ytcaption events verify` finds changes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SealSettings {
    /// The private key: Ed25519 in PEM, generated the first time. All copies of `ytcaption seal` need the same one.
    /// A relative path is within data_dir.
    pub(crate) key_file: PathBuf,
}

impl Default for SealSettings {
    fn default() -> Self {
        Self { key_file: "seal-key.pem".into() }
    }
}

/// Metrics and health of processes that do not serve the API (relay, project, worker).
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MetricsSettings {
    /// IP address and port at which /metrics and /health are served. Default: not served.
    #[schemars(example = &"127.0.0.1:9090")]
    pub(crate) listen: Option<SocketAddr>,
}

/// What happens on SIGTERM and SIGINT.
#[serde_as]
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ShutdownSettings {
    /// How long work in progress may take to end before it is dropped; another process then repeats it.
    #[serde(rename = "grace_seconds")]
    #[serde_as(as = "DurationSeconds<u64>")]
    #[schemars(range(min = 1, max = 600))]
    pub(crate) grace: Duration,
}

impl Default for ShutdownSettings {
    fn default() -> Self {
        Self { grace: Duration::from_secs(30) }
    }
}
