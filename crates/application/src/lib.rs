//! The use cases: what can be done with jobs, apart from how a client requests it.
//!
//! ```text
//!  REST, CLI, …  ──▶  Principal + typed request  ──▶  use case  ──▶  domain, event store, projections
//!  (a face)      ◀──  typed result or error      ◀──
//! ```
//!
//! A face translates: it makes a [`Principal`] of its caller and a typed request of the input, calls a use case, and
//! renders the result or the error in its own shape. Each use case is a method in a file of its own:
//!
//! | door | use cases |
//! |---|---|
//! | [`Commands`] | [submit](Commands::submit), [store an upload](Commands::store_upload), [cancel](Commands::cancel), [retry](Commands::retry) |
//! | [`Queries`] | [get](Queries::get), [list](Queries::list), captions ([completed](Queries::completed), [captions](Queries::captions)), history ([events](Queries::events), [at](Queries::at), [difference](Queries::difference), [explain](Queries::explain)), [usage](Queries::usage), for operators [audit events](Queries::audit_events), [parked events](Queries::parked_events), [the owner of a job](Queries::as_owner_of) |
//! | [`Subscriptions`] | [wait until a job has ended](Subscriptions::wait_until_ended), [follow its progress](Subscriptions::progress) |
//!
//! Every use case takes a [`Principal`] and first checks its [`permissions`]. A job of another account is
//! answered exactly like one that does not exist.

mod audit;
mod cancel;
mod captions;
mod commands;
mod error;
mod get;
mod history;
mod idempotency;
mod list;
pub mod permissions;
mod principal;
mod progress;
mod queries;
mod request;
mod retry;
mod stream;
mod submit;
mod subscriptions;
mod upload;
mod upload_sweep;
mod usage;
mod wait;

#[cfg(test)]
mod tests;

pub use audit::{EventPage, ParkedPage};
pub use cancel::CancelError;
pub use captions::{CaptionsError, CompletedJob, JobFailure};
pub use commands::Commands;
pub use error::{AuditError, GetError, StoreError};
pub use history::{HistoryError, JobDifference};
pub use idempotency::{IdempotencyKey, InvalidIdempotencyKey};
pub use list::ListError;
pub use principal::{Principal, Role, Scope};
pub use progress::{InvalidPosition, Progress, ProgressMessage, ProgressPosition};
pub use queries::Queries;
pub use request::{FieldError, MediaLocation, SubmitRequest, SubmitTranscription};
pub use retry::RetryError;
pub use stream::{ProgressError, ProgressStream};
pub use submit::{JobAccepted, SubmitError};
pub use subscriptions::Subscriptions;
pub use upload::{StoredUpload, UploadError};
pub use upload_sweep::{SweepError, UploadSweep};
pub use usage::UsageError;
