//! The same request sent twice creates one job: the header `Idempotency-Key`.
//!
//! The job's id is derived from the account and the key, so the event store itself refuses the second creation, on
//! whichever machine it arrives; nothing is kept beside the events and no key expires.
//! Header: <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>.

use axum::http::HeaderMap;
use cqrs_es::Aggregate;
use uuid::Uuid;
use ytcaption_domain::job::{Job, JobCommand, JobEvent, MediaSource};
use ytcaption_domain::{AccountId, JobId};
use ytcaption_eventstore::read_stream;

use super::view::Receipt;
use crate::ApiState;
use crate::problem::{ApiError, Fault};

const HEADER: &str = "idempotency-key";
/// Longest key, in bytes.
const MAX_KEY_BYTES: usize = 255;
/// Namespace of the ids derived from keys (UUID version 5); any fixed random value.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0c_53bb_7f1e_4a52_9d0a_5b0e_9c1d_27e4);

/// A client's name for one request, repeated when it repeats the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key in the headers, if there is one.
    ///
    /// # Errors
    /// It is empty, too long, given twice, or holds more than visible ASCII characters.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let mut values = headers.get_all(HEADER).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let fit = |key: &&str| (1..=MAX_KEY_BYTES).contains(&key.len()) && key.chars().all(|c| c.is_ascii_graphic());
        match value.to_str().ok().filter(fit) {
            Some(key) if values.next().is_none() => Ok(Some(Self(key.to_owned()))),
            _ => Err(ApiError::InvalidParameter(vec![Fault::of_parameter(
                "Idempotency-Key",
                "Give one key of 1 to 255 visible ASCII characters without blanks, such as a UUID",
            )])),
        }
    }

    /// The id of the job that this key creates.
    pub(super) fn job_id(&self, account: &AccountId) -> JobId {
        JobId(Uuid::new_v5(&NAMESPACE, format!("{account}\0{}", self.0).as_bytes()))
    }
}

/// The job that was created under this id before, if it was created by the same request.
///
/// # Errors
/// It was created by another request, or the database does not answer.
pub(super) async fn repeat(state: &ApiState, id: JobId, command: &JobCommand) -> Result<Receipt, ApiError> {
    let mut created_by_same = false;
    if let Some(first) = read_stream(&state.database, Job::TYPE, &id.to_string()).await?.first() {
        created_by_same = first.decode()?.iter().any(|event| is_result_of(command, event));
    }
    // Ids from keys are derived from the account as well.
    let view = match command {
        JobCommand::Create { account, .. } => state.queries.find(account, id).await?,
        _ => None,
    };
    match view {
        Some(view) if created_by_same => Ok(Receipt::new(id, view.status, view.created_at)),
        Some(_) => Err(ApiError::IdempotencyKeyReused { job: id }),
        None => Err(ApiError::Internal(format!("job {id} was in the way of its own creation and is not there"))),
    }
}

/// Whether the event is what the command leads to. An upload has a key of its own each time; its content counts.
fn is_result_of(command: &JobCommand, event: &JobEvent) -> bool {
    let JobCommand::Create { account, source, options, priority, webhook_url } = command else {
        return false;
    };
    let JobEvent::JobCreated {
        account: stored_account,
        source: stored_source,
        options: stored_options,
        priority: stored_priority,
        webhook_url: stored_webhook_url,
    } = event
    else {
        return false;
    };
    account == stored_account
        && is_same_recording(source, stored_source)
        && options == stored_options
        && priority == stored_priority
        && webhook_url == stored_webhook_url
}

fn is_same_recording(a: &MediaSource, b: &MediaSource) -> bool {
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
    use axum::http::HeaderValue;

    use super::*;

    fn key(values: &[&'static str]) -> Result<Option<IdempotencyKey>, ApiError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_static(value));
        }
        IdempotencyKey::of(&headers)
    }

    #[test]
    fn a_key_names_one_job_in_each_account() {
        let key = key(&["0b51-a"]).expect("a fit key").expect("a key");
        let (mine, theirs) = (AccountId::local(), AccountId("theirs".into()));
        assert_eq!(key.job_id(&mine), key.job_id(&mine));
        assert_ne!(key.job_id(&mine), key.job_id(&theirs));
        // Promised across restarts and releases: a changed namespace would let a repeated request create a second job.
        assert_eq!(key.job_id(&mine).to_string(), "2f3d0e4e-561a-5fcd-87b4-68e9fc2cbb5c");
    }

    #[test]
    fn an_unfit_key_is_refused() {
        assert_eq!(key(&[]).expect("no key is fine"), None);
        for values in [&[""][..], &["a b"], &["a", "b"]] {
            assert!(matches!(key(values), Err(ApiError::InvalidParameter(_))), "{values:?}");
        }
    }
}
