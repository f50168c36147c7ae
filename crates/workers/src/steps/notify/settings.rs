//! How webhooks are sent: the section `[webhook]` of the settings.
#![expect(clippy::doc_markdown, reason = "these texts are comments in ytcaption.toml, which is not Markdown")]

use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use serde_with::{DurationSeconds, serde_as};

/// Notifying others that a job has ended (Standard Webhooks).
#[serde_as]
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSettings {
    /// Signs every message: 24 to 64 bytes in base64, as `openssl rand -base64 32` prints them; `whsec_` may precede them.
    /// Default: `up` generates one and keeps it as webhook-secret in data_dir.
    #[schemars(
        with = "Option<String>",
        extend("format" = "password"),
        example = &"keep it out of files: YTCAPTION_WEBHOOK__SECRET"
    )]
    pub secret: Option<SecretString>,
    /// Longest wait for the answer of a receiver.
    #[serde(rename = "timeout_seconds")]
    #[serde_as(as = "DurationSeconds<u64>")]
    #[schemars(range(min = 1, max = 120))]
    pub timeout: Duration,
    /// Webhooks that one process sends at a time.
    #[schemars(range(min = 1, max = 1000))]
    pub concurrency: usize,
    /// Delays between attempts; the message is abandoned when the attempt after the last delay fails.
    #[serde(rename = "retry_seconds")]
    #[serde_as(as = "Vec<DurationSeconds<u64>>")]
    #[schemars(inner(range(min = 1, max = 604_800)))]
    pub schedule: Vec<Duration>,
}

impl WebhookSettings {
    /// The default schedule, taken from Svix, a webhook service of many years: <https://docs.svix.com/retries>.
    pub const SCHEDULE: [Duration; 6] = [
        Duration::from_secs(5),
        Duration::from_mins(5),
        Duration::from_mins(30),
        Duration::from_hours(2),
        Duration::from_hours(5),
        Duration::from_hours(10),
    ];
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self { secret: None, timeout: Duration::from_secs(15), concurrency: 16, schedule: Self::SCHEDULE.to_vec() }
    }
}
