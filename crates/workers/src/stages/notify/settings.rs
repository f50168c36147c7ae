//! Settings of the notifier.

use std::time::Duration;

use url::Url;

/// How webhooks are told.
#[derive(Clone)]
pub struct WebhookSettings {
    /// Webhooks told at a time.
    pub concurrency: usize,
    /// Signs every message: `whsec_` and base64, or base64 alone.
    pub secret: String,
    /// Longest wait for a receiver's answer.
    pub timeout: Duration,
    /// Pauses between attempts; after as many failures and one more, a message is given up.
    pub schedule: Vec<Duration>,
    /// Where the API can be reached from outside; the address of a result begins with it.
    pub public_url: Url,
}

impl std::fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the secret.
        f.debug_struct("WebhookSettings")
            .field("concurrency", &self.concurrency)
            .field("timeout", &self.timeout)
            .field("schedule", &self.schedule)
            .field("public_url", &self.public_url)
            .finish_non_exhaustive()
    }
}

impl WebhookSettings {
    /// The schedule of Svix, a webhook service of many years, where nothing else is asked for:
    /// <https://docs.svix.com/retries>.
    pub const SCHEDULE: [Duration; 6] = [
        Duration::from_secs(5),
        Duration::from_mins(5),
        Duration::from_mins(30),
        Duration::from_hours(2),
        Duration::from_hours(5),
        Duration::from_hours(10),
    ];

    /// The defaults, with what has none.
    pub fn new(secret: impl Into<String>, public_url: Url) -> Self {
        Self {
            concurrency: 16,
            secret: secret.into(),
            timeout: Duration::from_secs(15),
            schedule: Self::SCHEDULE.to_vec(),
            public_url,
        }
    }
}
