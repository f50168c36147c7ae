//! Whether a command shows URLs whole.

use std::borrow::Cow;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use ytcaption_domain::mask_urls;
use ytcaption_eventstore::RecordedEvent;

/// URLs may give access to media and to receivers of webhooks, so screens and files show a part of them.
#[derive(Debug, Args)]
pub(super) struct Reveal {
    /// Show URLs whole, with passwords, signatures and tokens that may be in them
    #[arg(long)]
    reveal: bool,
}

impl Reveal {
    /// The event as it is to be printed.
    pub(super) fn event<'a>(&self, event: &'a RecordedEvent) -> Cow<'a, RecordedEvent> {
        if self.reveal { Cow::Borrowed(event) } else { Cow::Owned(event.with_masked_urls()) }
    }

    /// Anything else as JSON, as it is to be printed.
    pub(super) fn json(&self, document: impl Serialize) -> serde_json::Result<Value> {
        let mut document = serde_json::to_value(document)?;
        if !self.reveal {
            mask_urls(&mut document);
        }
        Ok(document)
    }
}
