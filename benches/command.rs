//! The command that the benchmarks execute: create a job, as for a client's request.

use uuid::Uuid;
use ytcaption_domain::job::{JobCommand, JobOptions, MediaSource, Priority, TranscriptionOptions};
use ytcaption_domain::{AccountId, Actor, CommandContext};

pub(crate) fn context() -> CommandContext {
    CommandContext {
        account: AccountId::local(),
        actor: Actor::Client("bench".into()),
        correlation_id: Uuid::from_u128(7),
        causation_id: None,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
    }
}

pub(crate) fn create() -> JobCommand {
    JobCommand::Create {
        account: AccountId::local(),
        source: MediaSource::Url { url: "https://www.youtube.com/watch?v=dQw4w9WgXcQ".parse().expect("a URL") },
        options: JobOptions::Transcription(TranscriptionOptions::default()),
        priority: Priority::Normal,
        webhook_url: None,
        retry_of: None,
    }
}
