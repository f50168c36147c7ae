//! The use cases over a real Postgres.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use ytcaption_blobstore::LocalDirectory;
use ytcaption_domain::job::{JobStatus, MediaSource, Priority, TranscriptionOptions};
use ytcaption_domain::{AccountId, Actor, JobId};
use ytcaption_eventstore::encryption::MasterKeys;
use ytcaption_eventstore::{Appender, Clock, CommandBus, Cursor, Database, EventListener, EventQuery, IdGenerator};
use ytcaption_projections::{AsOf, ParkedCursor};
use ytcaption_testing::{Postgres, aggregate_count};

use crate::permissions::PermissionDenied;
use crate::{
    AuditError, CancelError, CaptionsError, Commands, GetError, HistoryError, ListError, Principal, ProgressError,
    ProgressPosition, Queries, Role, Scope, StoreError, SubmitError, SubmitTranscription, Subscriptions, UploadError,
    UploadSweep,
};

struct TestHarness {
    database: Database,
    commands: Commands,
    queries: Queries,
    subscriptions: Subscriptions,
    blobs: TempDir,
}

impl TestHarness {
    async fn new() -> Self {
        let keys = MasterKeys::parse(ytcaption_testing::MASTER_KEY, []).expect("a key");
        let database = Database::open(&Postgres::shared().new_database().into(), 8).expect("a valid URL");
        let database = database.with_master_keys(keys);
        database.prepare().await.expect("the schema is created");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let blobs = LocalDirectory::open(directory.path()).await.expect("a directory of blobs");
        let (queries, ids) = (Queries::new(&database), IdGenerator::system());
        let jobs = CommandBus::new(&database, Appender::start(&database), Clock::system(), ids);
        Self {
            commands: Commands::new(Arc::new(jobs), queries.clone(), Arc::new(blobs), ids),
            queries,
            subscriptions: Subscriptions::start(&database, EventListener::start(&database)),
            database,
            blobs: directory,
        }
    }

    async fn submitted(&self, principal: &Principal) -> JobId {
        let accepted = self.commands.submit(principal, request(Some("https://example.org/a")), None, None).await;
        accepted.expect("the job is accepted").job
    }
}

fn operator() -> Principal {
    Principal::local_operator(Actor::Client("test".into()))
}

fn request(url: Option<&str>) -> SubmitTranscription {
    SubmitTranscription {
        url: url.map(|url| url.parse().expect("a URL")),
        transcription: TranscriptionOptions::default(),
        priority: Priority::Normal,
        webhook_url: None,
    }
}

const NO_READ: PermissionDenied = PermissionDenied::Scope(Scope::JobsRead);
const NO_WRITE: PermissionDenied = PermissionDenied::Scope(Scope::JobsWrite);

#[tokio::test]
async fn without_a_scope_no_use_case_does_anything() {
    let harness = TestHarness::new().await;
    let job = harness.submitted(&operator()).await;
    let stranger = Principal { scopes: BTreeSet::new(), ..operator() };
    let TestHarness { commands, queries, subscriptions, .. } = &harness;
    let submitted = commands.submit(&stranger, request(Some("https://example.org/b")), None, None).await;
    assert!(matches!(submitted, Err(SubmitError::Denied(NO_WRITE))), "{submitted:?}");
    let uploaded = commands.store_upload(&stranger, None, &mut &b"content"[..], 100).await;
    assert!(matches!(uploaded, Err(UploadError::Denied(NO_WRITE))), "{uploaded:?}");
    let cancelled = commands.cancel(&stranger, job, None).await;
    assert!(matches!(cancelled, Err(CancelError::Denied(NO_WRITE))), "{cancelled:?}");
    assert!(matches!(queries.get(&stranger, job).await, Err(GetError::Denied(NO_READ))));
    assert!(matches!(queries.list(&stranger, None, None, 1).await, Err(ListError::Denied(NO_READ))));
    assert!(matches!(queries.completed(&stranger, job, None).await, Err(CaptionsError::Denied(NO_READ))));
    assert!(matches!(queries.events(&stranger, job).await, Err(GetError::Denied(NO_READ))));
    assert!(matches!(queries.explain(&stranger, job).await, Err(GetError::Denied(NO_READ))));
    assert!(matches!(queries.at(&stranger, job, None).await, Err(HistoryError::Denied(NO_READ))));
    let (first, second) = (AsOf::Version(1), AsOf::Version(1));
    assert!(matches!(queries.difference(&stranger, job, first, second).await, Err(HistoryError::Denied(NO_READ))));
    let progress = subscriptions.progress(&stranger, job, ProgressPosition::default()).await;
    assert!(matches!(progress.map(drop), Err(ProgressError::Denied(NO_READ))));
    assert!(matches!(subscriptions.wait_until_ended(&stranger, job).await, Err(GetError::Denied(NO_READ))));

    assert_eq!(aggregate_count(harness.database.pool()).await, 1, "nothing was submitted");
    let view = queries.get(&operator(), job).await.expect("the job");
    assert_eq!((view.status, view.version), (JobStatus::Pending, 1), "nothing was cancelled");
}

#[tokio::test]
async fn only_an_operator_reads_what_concerns_every_account() {
    let harness = TestHarness::new().await;
    let theirs = Principal { account: AccountId("theirs".into()), ..operator() };
    let job = harness.submitted(&theirs).await;
    let queries = &harness.queries;
    let member = Principal { role: Role::Member, ..operator() };
    let (query, start) = (EventQuery::default(), Cursor::default());
    let events = queries.audit_events(&member, &query, start, 10).await;
    assert!(matches!(events, Err(AuditError::Denied(PermissionDenied::Role))), "{events:?}");
    let parked = queries.parked_events(&member, None, ParkedCursor::default(), 10).await;
    assert!(matches!(parked, Err(AuditError::Denied(PermissionDenied::Role))), "{parked:?}");
    let owner = queries.as_owner_of(&member, job).await;
    assert!(matches!(owner, Err(GetError::Denied(PermissionDenied::Role))), "{owner:?}");

    assert!(queries.audit_events(&operator(), &query, start, 10).await.is_ok());
    assert_eq!(queries.parked_events(&operator(), None, ParkedCursor::default(), 10).await.expect("a page").total, 0);
    let owner = queries.as_owner_of(&operator(), job).await.expect("the owner");
    assert_eq!(owner, Principal { account: theirs.account, ..operator() });
    assert_eq!(queries.explain(&owner, job).await.expect("a timeline").status, Some(JobStatus::Pending));
    let nothing = queries.as_owner_of(&operator(), JobId(IdGenerator::system().new_id())).await;
    assert!(matches!(nothing, Err(GetError::NotFound(_))), "{nothing:?}");
}

#[tokio::test]
async fn a_job_of_another_account_is_not_there() {
    let harness = TestHarness::new().await;
    let TestHarness { commands, queries, subscriptions, .. } = &harness;
    let theirs = Principal { account: AccountId("theirs".into()), ..operator() };
    let (job, mine) = (harness.submitted(&theirs).await, operator());
    assert!(matches!(queries.get(&mine, job).await, Err(GetError::NotFound(found)) if found == job));
    assert!(matches!(commands.cancel(&mine, job, None).await, Err(CancelError::NotFound(_))));
    for at in [None, Some(AsOf::Version(1))] {
        assert!(matches!(queries.completed(&mine, job, at).await, Err(CaptionsError::NotFound(_))));
        assert!(matches!(queries.at(&mine, job, at).await, Err(HistoryError::NotFound(_))));
    }
    assert!(matches!(queries.events(&mine, job).await, Err(GetError::NotFound(_))));
    assert!(matches!(queries.explain(&mine, job).await, Err(GetError::NotFound(_))));
    let (first, second) = (AsOf::Version(1), AsOf::Version(1));
    assert!(matches!(queries.difference(&mine, job, first, second).await, Err(HistoryError::NotFound(_))));
    let progress = subscriptions.progress(&mine, job, ProgressPosition::default()).await;
    assert!(matches!(progress.map(drop), Err(ProgressError::NotFound(_))));
    assert!(matches!(subscriptions.wait_until_ended(&mine, job).await, Err(GetError::NotFound(_))));
    assert_eq!(queries.get(&theirs, job).await.expect("its owner finds it").version, 1, "it was not cancelled");
}

#[tokio::test]
async fn waiting_ends_with_the_job() {
    let harness = TestHarness::new().await;
    let job = harness.submitted(&operator()).await;
    let (subscriptions, principal) = (harness.subscriptions.clone(), operator());
    let mut waiting = tokio::spawn(async move { subscriptions.wait_until_ended(&principal, job).await });
    let early = tokio::time::timeout(Duration::from_secs(1), &mut waiting).await;
    assert!(early.is_err(), "the job is pending");
    harness.commands.cancel(&operator(), job, Some("enough")).await.expect("it is cancelled");
    let ended = tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it ends").expect("no panic");
    assert_eq!(ended.expect("the job").status, JobStatus::Cancelled);
    let again = harness.subscriptions.wait_until_ended(&operator(), job).await.expect("at once");
    assert_eq!(again.version, 2);
}

#[tokio::test]
async fn a_submission_has_one_source() {
    let harness = TestHarness::new().await;
    let TestHarness { commands, database, .. } = &harness;
    let none = commands.submit(&operator(), request(None), None, None).await;
    assert!(matches!(none, Err(SubmitError::NotOneSource)), "{none:?}");
    let upload = commands.store_upload(&operator(), Some("a.mp4"), &mut &b"content"[..], 100).await.expect("stored");
    let both = commands.submit(&operator(), request(Some("https://example.org/a")), Some(upload), None).await;
    assert!(matches!(both, Err(SubmitError::NotOneSource)), "{both:?}");
    let empty = commands.store_upload(&operator(), Some("a.mp4"), &mut &b""[..], 100).await;
    assert!(matches!(empty, Err(UploadError::Empty)), "{empty:?}");
    assert_eq!(aggregate_count(database.pool()).await, 0);
}

#[tokio::test]
async fn a_key_names_one_job_in_each_account() {
    let harness = TestHarness::new().await;
    let key = "4f1c".parse().expect("a valid key");
    let submit = async |principal: &Principal, url: &str| {
        harness.commands.submit(principal, request(Some(url)), None, Some(&key)).await
    };
    let theirs = Principal { account: AccountId("theirs".into()), ..operator() };
    let first = submit(&operator(), "https://example.org/a").await.expect("accepted");
    assert_eq!(submit(&operator(), "https://example.org/a").await.expect("the same job"), first);
    assert_ne!(submit(&theirs, "https://example.org/a").await.expect("another job").job, first.job);
    let other = submit(&operator(), "https://example.org/b").await;
    assert!(matches!(other, Err(SubmitError::KeyReused { job }) if job == first.job), "{other:?}");
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_an_error_of_its_own() {
    let database = Database::open(&"postgres://user@127.0.0.1:1/none".into(), 1).expect("a valid URL");
    let job = JobId(IdGenerator::system().new_id());
    let found = Queries::new(&database).get(&operator(), job).await;
    assert!(matches!(found, Err(GetError::Store(StoreError::Unavailable(_)))), "{found:?}");
}

/// The files in the directory of uploads.
fn uploads(harness: &TestHarness) -> usize {
    let entries = std::fs::read_dir(harness.blobs.path().join("uploads"));
    let names = entries.into_iter().flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with('.')).count()
}

#[tokio::test]
async fn an_upload_whose_job_was_not_created_is_deleted_once_the_database_answers() {
    let harness = TestHarness::new().await;
    let upload = async || {
        let stored = harness.commands.store_upload(&operator(), Some("a.mp4"), &mut &b"media"[..], 100).await;
        stored.expect("it is stored")
    };
    let used = upload().await;
    let ytcaption_domain::job::MediaSource::Upload { key, .. } = used.source.clone() else { unreachable!() };
    let job = harness.commands.submit(&operator(), request(None), Some(used), None).await.expect("a job").job;
    let before = uploads(&harness);

    // A job that does not exist, and a job that another upload became: neither needs its blob.
    upload().await.delete_unless_used(&harness.database, JobId(harness.commands.ids.new_id()));
    upload().await.delete_unless_used(&harness.database, job);
    // While the database does not answer, nothing is deleted; nor is a blob that the job was made of.
    let away = Database::open(&"postgres://someone@127.0.0.1:1/none".into(), 1).expect("a valid URL");
    upload().await.delete_unless_used(&away, job);
    crate::StoredUpload::of_key(&harness.commands, &key).delete_unless_used(&harness.database, job);
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if uploads(&harness) == before + 1 {
            break;
        }
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(uploads(&harness), before + 1, "of four, the one that nothing is known of stays beside those before");
}

#[tokio::test]
async fn uploads_that_no_job_names_are_deleted_once_they_are_old() {
    let harness = TestHarness::new().await;
    let (commands, caller) = (&harness.commands, operator());
    let store = async || {
        let stored = commands.store_upload(&caller, Some("a.wav"), &mut &b"content"[..], 100).await.expect("stored");
        let MediaSource::Upload { key, .. } = &stored.source else { unreachable!() };
        (key.clone(), stored)
    };
    let (orphan, upload) = store().await;
    upload.keep();
    let (used, upload) = store().await;
    commands.submit(&caller, request(None), Some(upload), None).await.expect("the job is accepted");
    let (fresh, upload) = store().await;
    upload.keep();
    let path = |key: &str| harness.blobs.path().join(key);
    let long_ago = SystemTime::now() - Duration::from_hours(25);
    for key in [&orphan, &used] {
        File::open(path(key)).expect("the blob").set_modified(long_ago).expect("its time is set");
    }
    let blobs = Arc::new(LocalDirectory::open(harness.blobs.path()).await.expect("the blobs"));
    let sweeps = [(); 2].map(|()| UploadSweep::new(&harness.database, blobs.clone()));
    let [mut first, mut second] = sweeps;
    let day = Duration::from_hours(24);
    // Two processes at once.
    let (one, other) = tokio::join!(first.sweep(day), second.sweep(day));
    assert!((1..=2).contains(&(one.expect("a sweep") + other.expect("a sweep"))));
    assert!(!path(&orphan).exists(), "no job names it");
    assert!(path(&used).exists() && path(&fresh).exists(), "one has a job, one may get it now");
    assert_eq!(first.sweep(day).await.expect("another sweep"), 0);
    // Once it is old, it goes too, although the sweep has been beyond the others.
    File::open(path(&fresh)).expect("the blob").set_modified(long_ago).expect("its time is set");
    assert_eq!(first.sweep(day).await.expect("another sweep"), 1);
    assert!(!path(&fresh).exists() && path(&used).exists());
}
