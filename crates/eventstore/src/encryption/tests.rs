use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sqlx::Executor as _;
use uuid::Uuid;
use ytcaption_domain::JobId;
use ytcaption_domain::delivery::{Delivery, DeliveryCommand, DeliveryEvent};
use ytcaption_domain::job::{JobCommand, JobEvent, JobStatus};
use ytcaption_domain::personal::{ERASED, PersonalKind, PersonalPart};
use ytcaption_testing::Postgres;

use super::*;
use crate::seal::{Sealer, SealingKey, Verifier};
use crate::tests::{bus, context, create, first, master_keys, start};
use crate::{
    Appender, Clock, CommandBus, CommandError, Cursor, Database, EventQuery, EventReader, Exporter, IdGenerator,
    Importer, RecordedEvent, read_stream,
};

/// In every personal text of these tests, and in no other.
const PERSONAL: &str = "example.org";
const PARTS: &[PersonalPart] = &[
    PersonalPart { path: &["source", "url"], kind: PersonalKind::Text },
    PersonalPart { path: &["segments"], kind: PersonalKind::List },
];

fn identity(sequence: u64) -> EventIdentity<'static> {
    EventIdentity { aggregate_type: "job", aggregate_id: "1", sequence, event_type: "JobCreated" }
}

fn new_key(master: &MasterKeys) -> (DataKey, Vec<u8>) {
    master.new_data_key("1").expect("a key")
}

fn open(master: &MasterKeys, id: &str, wrapped: &[u8]) -> Result<DataKey, DecryptError> {
    Ok(DataKey::from_bytes(&master.unwrap(id, wrapped)?).expect("32 bytes"))
}

#[test]
fn what_is_encrypted_decrypts_in_its_own_event_and_place_only() {
    let (key, _) = new_key(&master_keys());
    let plain = json!({ "source": { "kind": "url", "url": "https://example.org/v" }, "segments": [{ "text": "a" }] });
    let mut stored = plain.clone();
    encrypt_payload(Some(&key), identity(1), PARTS, &mut stored).expect("random bytes");
    assert_eq!(stored["source"]["kind"], "url");
    let has = |part: &Value, member: &str| part.as_object().is_some_and(|part| part.keys().eq([member]));
    assert!(has(&stored["source"]["url"], "encrypted_text") && has(&stored["segments"], "encrypted_list"), "{stored}");
    assert!(!stored.to_string().contains(PERSONAL), "{stored}");

    let read = |identity, mut payload: Value| {
        decrypt_payload(|| Ok(Some(key.clone())), identity, &mut payload).map(|erased| (payload, erased))
    };
    assert_eq!(read(identity(1), stored.clone()), Ok((plain, false)));
    let changed = |path: &str| Err(DecryptError::Value { path: path.to_owned() });
    assert!(matches!(read(identity(2), stored.clone()), Err(DecryptError::Value { .. })));
    let mut swapped = stored.clone();
    swapped["segments"] = stored["source"]["url"].clone();
    assert_eq!(read(identity(1), swapped).map(drop), changed("segments"));
}

#[test]
fn a_data_key_unwraps_under_its_id_with_its_master_key() {
    let (old, new) = (secret(), secret());
    let before = MasterKeys::parse(&old, []).expect("a key");
    let (_, wrapped) = new_key(&before);
    assert!(open(&before, "1", &wrapped).is_ok());
    assert_eq!(open(&before, "2", &wrapped).map(drop), Err(DecryptError::DataKey));
    let unknown = open(&MasterKeys::parse(&new, []).expect("a key"), "1", &wrapped).map(drop);
    assert_eq!(unknown, Err(DecryptError::UnknownMasterKey(before.current_id())));
    assert!(open(&MasterKeys::parse(&new, [old.as_str()]).expect("keys"), "1", &wrapped).is_ok());
    assert!(MasterKeys::parse("short", []).is_err());
}

/// A new master key.
fn secret() -> String {
    generate_master_key().expect("a key").expose_secret().to_owned()
}

async fn database(url: &str, keys: MasterKeys) -> Database {
    let database = Database::open(&url.into(), 10).expect("a valid URL").with_master_keys(keys);
    database.prepare().await.expect("the schema can be made");
    database
}

/// Two jobs; the first was started and has a delivery. Five events with the cancellation of the second.
async fn two_jobs(database: &Database) -> [Uuid; 2] {
    let (bus, jobs) = (bus(database), [Uuid::from_u128(1), Uuid::from_u128(2)]);
    for job in jobs {
        bus.create(job, create(), &context()).await.expect("a new job");
    }
    bus.execute(jobs[0], start(), &context()).await.expect("it starts");
    let reason = Some(format!("not on {PERSONAL}"));
    bus.execute(jobs[1], JobCommand::Cancel { reason }, &context()).await.expect("it is cancelled");
    deliveries(database).create(Uuid::from_u128(9), delivered(jobs[0]), &context()).await.expect("a delivery");
    first(5, database).await;
    jobs
}

fn deliveries(database: &Database) -> CommandBus<Delivery> {
    CommandBus::new(database, Appender::start(database), Clock::system(), IdGenerator::system())
}

fn delivered(job: Uuid) -> DeliveryCommand {
    DeliveryCommand::RecordDelivered { job_id: JobId(job), host: PERSONAL.into(), http_status: 200 }
}

async fn stored_text(database: &Database) -> String {
    let all = "SELECT string_agg(payload::text || metadata::text, '') FROM events";
    sqlx::query_scalar(all).fetch_one(database.pool()).await.expect("events")
}

fn text(event: &RecordedEvent) -> String {
    event.payload.to_string()
}

#[tokio::test]
async fn the_store_holds_no_personal_text_and_readers_see_it() {
    let database = database(&Postgres::shared().new_database(), master_keys()).await;
    let jobs = two_jobs(&database).await;
    let stored = stored_text(&database).await;
    assert!(!stored.contains(PERSONAL), "{stored}");
    let events = first(5, &database).await;
    let personal: Vec<bool> = events.iter().map(|event| text(event).contains(PERSONAL)).collect();
    assert_eq!(personal, [true, true, false, true, true]);
    assert!(events.iter().all(|event| !event.erased && event.corrupt.is_none()));
    let of_job = EventReader::new(&database).with_data_key(jobs[0]).await.expect("an answer");
    assert_eq!(of_job.len(), 3, "its delivery shares its data key");
    // A process that has made none of the keys.
    let other = database_of(&database).await;
    assert_eq!(bus(&other).load(jobs[1]).await.expect("readable").0.status, Some(JobStatus::Cancelled));
    deliveries(&other).execute(Uuid::from_u128(9), delivered(jobs[0]), &context()).await.expect("readable");
}

/// The same database, opened once more.
async fn database_of(database: &Database) -> Database {
    let name: String =
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(database.pool()).await.expect("a name");
    let options = database.connect_options();
    let url = format!("postgres://{}@{}:{}/{name}", options.get_username(), options.get_host(), options.get_port());
    self::database(&url, master_keys()).await
}

#[tokio::test]
async fn a_job_whose_key_was_destroyed_reads_as_erased_everywhere() {
    let database = database(&Postgres::shared().new_database(), master_keys()).await;
    let jobs = two_jobs(&database).await;
    let key = SealingKey::generate().expect("a key");
    let trusted = key.verifying_key();
    Sealer::new(&database, key, Clock::system()).seal_all().await.expect("an answer");
    assert!(database.data_keys().destroy(jobs[0]).await.expect("an answer"));
    assert!(!database.data_keys().destroy(jobs[0]).await.expect("an answer"), "once is enough");

    // It loads, goes on, and what is new is not readable either.
    let bus = bus(&database);
    let cancel = JobCommand::Cancel { reason: Some(format!("not on {PERSONAL}")) };
    let cancelled = bus.execute(jobs[0], cancel, &context()).await.expect("it can be cancelled");
    assert_eq!(cancelled.aggregate.status, Some(JobStatus::Cancelled));
    deliveries(&database).create(Uuid::from_u128(8), delivered(jobs[0]), &context()).await.expect("a delivery");
    assert_eq!(bus.load(jobs[0]).await.expect("readable").1, 3);
    assert!(!stored_text(&database).await.contains(PERSONAL));

    assert_erased(&database, jobs).await;
    let report = Verifier::trusting(vec![trusted]).database(database.pool(), |_| ()).await.expect("an answer");
    assert_eq!((report.sealed, report.findings), (5, vec![]));

    let mut export = Exporter::begin(&database).await.expect("an answer");
    let (mut lines, mut keys) = (vec![], vec![serde_json::to_string(&DataKeyLine::begin()).expect("JSON")]);
    while let Some(page) = Some(export.next_lines().await.expect("an answer")).filter(|page| !page.is_empty()) {
        lines.extend(page);
    }
    for key in database.data_keys().export_page("").await.expect("an answer") {
        keys.push(serde_json::to_string(&key).expect("JSON"));
    }
    assert_eq!(keys.len(), 2, "the key of the other job");
    let copy = self::database(&Postgres::shared().new_database(), master_keys()).await;
    let mut importer = Importer::begin(copy.pool()).await.expect("an empty store");
    for line in &lines {
        importer.add(line).await.expect("a sound export");
    }
    let result = importer.finish(Some(&keys.join("\n"))).await.expect("a sound export");
    assert_eq!((result.events, result.data_keys), (7, KeysImported { with_key: 1, without_key: 1 }));
    assert_erased(&copy, jobs).await;
}

/// The first job and its deliveries read as erased, the second as it was.
async fn assert_erased(database: &Database, jobs: [Uuid; 2]) {
    let events = first(7, database).await;
    for event in &events {
        assert_eq!(event.corrupt, None, "{event:?}");
        let own_key = event.aggregate_id.parse().ok();
        let of_erased = event.metadata.data_key.or(own_key) == Some(jobs[0]);
        assert!(!(of_erased && text(event).contains(PERSONAL)), "{event:?}");
        assert_eq!(event.erased, of_erased && event.event_type != "DownloadStarted", "{event:?}");
        match event.aggregate_type.as_str() {
            "job" => drop(event.decode::<JobEvent>().expect("readable")),
            _ => drop(event.decode::<DeliveryEvent>().expect("readable")),
        }
    }
    let created = json!(events[0]);
    assert_eq!((&created["erased"], &created["payload"]["source"]["url"]), (&json!(true), &json!(ERASED)));
    assert_eq!(json!(events[1]).get("erased"), None);
    let query = EventQuery { data_key: Some(jobs[0]), ..EventQuery::default() };
    let found = EventReader::new(database).page(&query, Cursor::default(), 10).await.expect("an answer");
    assert_eq!(found.len(), 5);
}

#[tokio::test]
async fn a_changed_ciphertext_is_an_error_of_its_event_alone() {
    let database = database(&Postgres::shared().new_database(), master_keys()).await;
    let jobs = two_jobs(&database).await;
    let tamper = format!(
        "ALTER TABLE events DISABLE TRIGGER events_append_only;
         UPDATE events e SET payload = jsonb_set(e.payload, '{{source,url}}', o.payload->'source'->'url') FROM events o
          WHERE e.aggregate_id = '{}' AND e.sequence = 1 AND o.aggregate_id = '{}' AND o.sequence = 1",
        jobs[0], jobs[1]
    );
    database.pool().execute(sqlx::raw_sql(&tamper)).await.expect("the owner can");
    let events = first(5, &database).await;
    assert_eq!(events.iter().filter(|event| event.corrupt.is_some()).count(), 1);
    let error = events[0].decode::<JobEvent>().expect_err("it was changed").to_string();
    assert!(error.contains("`source.url` cannot be decrypted: the event was changed"), "{error}");
    let other = database_of(&database).await;
    let refused = bus(&other).execute(jobs[0], start(), &context()).await.expect_err("it was changed");
    assert!(matches!(&refused, CommandError::Unreadable(text) if text.contains("event 1 of job")), "{refused:?}");
    bus(&other).load(jobs[1]).await.expect("the other job is not affected");
}

#[tokio::test]
async fn data_keys_are_wrapped_anew_while_the_system_runs() {
    let url = Postgres::shared().new_database();
    let (old, new) = (secret(), secret());
    let parse = |current: &str, previous: &[&str]| MasterKeys::parse(current, previous.iter().copied()).expect("keys");
    let before = database(&url, parse(&old, &[])).await;
    // The first process decides, also before there is any job.
    before.data_keys().check().await.expect("a new system");
    before.data_keys().check().await.expect("its own key");
    let without = database(&url, parse(&new, &[])).await;
    without.data_keys().check().await.expect_err("it has another key");
    let jobs = two_jobs(&before).await;

    let refusal = without.data_keys().check().await.expect_err("it lacks the old key").to_string();
    assert!(refusal.contains(&parse(&old, &[]).current_id().to_string()), "{refusal}");
    let events = first(5, &without).await;
    let error = events[0].decode::<JobEvent>().expect_err("it lacks the old key").to_string();
    assert!(error.contains("which this process does not have: set encryption.master_key_file"), "{error}");
    assert_eq!(without.data_keys().rewrap().await.expect("an answer"), Rewrapped { rewrapped: 0, failed: 3 });

    let both = database(&url, parse(&new, &[&old])).await;
    both.data_keys().check().await.expect("it has both");
    assert_eq!(both.data_keys().rewrap().await.expect("an answer"), Rewrapped { rewrapped: 3, failed: 0 });
    assert_eq!(both.data_keys().rewrap().await.expect("an answer"), Rewrapped::default());
    let counts = both.data_keys().count().await.expect("an answer");
    let current = parse(&new, &[]).current_id();
    assert_eq!(counts, [KeyCount { master_key: Some(current), available: true, data_keys: 2 }]);
    without.data_keys().check().await.expect("the old key is not needed any more");
    bus(&without).execute(jobs[0], start(), &context()).await.expect("readable");
}

#[tokio::test]
async fn without_a_master_key_nothing_is_written_in_the_clear() {
    let url = Postgres::shared().new_database();
    let database = Database::open(&url.into(), 4).expect("a valid URL");
    database.prepare().await.expect("the schema can be made");
    let refused =
        bus(&database).create(Uuid::from_u128(1), create(), &context()).await.expect_err("no key").to_string();
    assert!(refused.contains("there is no master key: set encryption.master_key_file"), "{refused}");
    assert!(read_stream(&database, "job", &Uuid::from_u128(1).to_string()).await.expect("an answer").is_empty());
}
