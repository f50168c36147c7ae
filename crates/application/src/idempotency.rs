//! The same submission sent twice creates one job.
//!
//! The id of the job is derived from the account and the key, so the event store itself refuses the second creation, on
//! whichever machine it arrives; nothing is stored beside the events and no key expires.

use std::str::FromStr;

use cqrs_es::Aggregate;
use uuid::Uuid;
use ytcaption_domain::job::{Job, JobCommand, JobEvent, MediaSource};
use ytcaption_domain::{AccountId, JobId};
use ytcaption_eventstore::read_event;

use crate::{GetError, JobAccepted, Principal, Queries, StoreError, SubmitError};

/// Longest key, in bytes.
const MAX_KEY_BYTES: usize = 255;
/// Namespace of the ids derived from keys (UUID version 5); any fixed random value.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0c_53bb_7f1e_4a52_9d0a_5b0e_9c1d_27e4);

/// A client's name for one submission, the same again when it repeats the submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// A text that is not a valid key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Give one key of 1 to 255 visible ASCII characters without blanks, such as a UUID")]
pub struct InvalidIdempotencyKey;

impl FromStr for IdempotencyKey {
    type Err = InvalidIdempotencyKey;

    fn from_str(text: &str) -> Result<Self, InvalidIdempotencyKey> {
        let valid = (1..=MAX_KEY_BYTES).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidIdempotencyKey) }
    }
}

impl IdempotencyKey {
    /// The id of the job that this key creates.
    pub(crate) fn job_id(&self, account: &AccountId) -> JobId {
        JobId(Uuid::new_v5(&NAMESPACE, format!("{account}\0{}", self.0).as_bytes()))
    }
}

/// The job that an earlier submission created under this id.
///
/// # Errors
/// [`SubmitError::KeyReused`] if `command` does not lead to the same job; the store gave no answer.
pub(crate) async fn earlier_job(
    queries: &Queries,
    principal: &Principal,
    job: JobId,
    command: &JobCommand,
) -> Result<JobAccepted, SubmitError> {
    let first = read_event(&queries.database, Job::TYPE, &job.to_string(), 1).await.map_err(StoreError::unavailable)?;
    let (events, erased): (Vec<JobEvent>, bool) = match first {
        Some(first) => (first.decode().map_err(StoreError::from)?, first.erased),
        None => (vec![], false),
    };
    // What was erased cannot be compared; the key is the job's all the same.
    if !erased && !events.iter().any(|event| is_result_of(command, event)) {
        return Err(SubmitError::KeyReused { job });
    }
    match queries.find(principal, job).await {
        Ok(view) => Ok(JobAccepted { job, status: view.status, created_at: view.created_at }),
        Err(GetError::Store(error)) => Err(error.into()),
        Err(GetError::Denied(denied)) => Err(denied.into()),
        // The id is derived from the account, so the job can only be the account's.
        Err(GetError::NotFound(job)) => Err(SubmitError::KeyReused { job }),
    }
}

/// Whether the event is what the command leads to. An upload has a key of its own each time; its content counts.
fn is_result_of(command: &JobCommand, event: &JobEvent) -> bool {
    let JobCommand::Create { account, source, options, priority, webhook_url, retry_of } = command else {
        return false;
    };
    let JobEvent::JobCreated {
        account: stored_account,
        source: stored_source,
        options: stored_options,
        priority: stored_priority,
        webhook_url: stored_webhook_url,
        retry_of: stored_retry_of,
    } = event
    else {
        return false;
    };
    account == stored_account
        && is_same_media(source, stored_source)
        && options == stored_options
        && priority == stored_priority
        && webhook_url == stored_webhook_url
        && retry_of == stored_retry_of
}

fn is_same_media(a: &MediaSource, b: &MediaSource) -> bool {
    match (a, b) {
        (
            MediaSource::Upload { file_name: a_name, sha256: a_sha256, .. },
            MediaSource::Upload { file_name: b_name, sha256: b_sha256, .. },
        ) => a_name == b_name && a_sha256 == b_sha256,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_one_job_in_each_account() {
        let key: IdempotencyKey = "0b51-a".parse().expect("a valid key");
        let (mine, theirs) = (AccountId::local(), AccountId("theirs".into()));
        assert_eq!(key.job_id(&mine), key.job_id(&mine));
        assert_ne!(key.job_id(&mine), key.job_id(&theirs));
        // Promised across restarts and releases: a changed namespace would let a repeated request create a second job.
        assert_eq!(key.job_id(&mine).to_string(), "397c6fd8-6afe-5402-8ac5-575224c6d196");
    }

    #[test]
    fn a_key_that_is_not_valid_is_refused() {
        for text in ["", "a b", "ä", &"k".repeat(256)] {
            assert_eq!(text.parse::<IdempotencyKey>(), Err(InvalidIdempotencyKey), "{text}");
        }
    }
}
