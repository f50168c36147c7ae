//! Every way to tamper with a store, as a superuser would, in a real Postgres: found, and found where.

use sqlx::Executor as _;
use uuid::Uuid;

use super::*;
use crate::tests::{bus, context, create, database, first, start};
use crate::{Clock, Database, begin};

/// Jobs, each with two events: numbers 1 to 4 create them, 5 to 8 start them.
const JOBS: u128 = 4;
/// Events under the first of two seals.
const FIRST_SEAL: usize = 5;

pub(super) fn key() -> SealingKey {
    SealingKey::generate().expect("a random source")
}

pub(super) fn sealer(database: &Database, key: &SealingKey) -> Sealer {
    let same = SealingKey::from_pem(&key.to_pem().expect("a key")).expect("a key");
    Sealer::new(database, same, Clock::system())
}

/// A store with eight events under two seals, and one without.
pub(super) async fn sealed(key: &SealingKey) -> Database {
    let database = database().await;
    let bus = bus(&database);
    for job in 1..=JOBS {
        bus.create(Uuid::from_u128(job), create(), &context()).await.expect("a new job");
    }
    bus.execute(Uuid::from_u128(1), start(), &context()).await.expect("it starts");
    first(FIRST_SEAL, &database).await;
    assert_eq!(sealer(&database, key).seal_all().await.expect("an answer"), 5);
    for job in 2..=JOBS {
        bus.execute(Uuid::from_u128(job), start(), &context()).await.expect("it starts");
    }
    first(8, &database).await;
    assert_eq!(sealer(&database, key).seal_all().await.expect("an answer"), 3);
    bus.execute(Uuid::from_u128(1), start(), &context()).await.expect("it starts again");
    first(9, &database).await;
    database
}

pub(super) async fn verify(database: &Database, verifier: Verifier) -> Report {
    verifier.database(database.pool(), |_| ()).await.expect("an answer")
}

/// Changes the store past its triggers, as its superuser can.
pub(super) async fn tamper(database: &Database, sql: &str) {
    let mut transaction = begin(database.pool()).await.expect("a transaction");
    transaction.execute("SET LOCAL session_replication_role = replica").await.expect("a superuser");
    let done = transaction.execute(sqlx::raw_sql(sql)).await.expect(sql);
    assert!(done.rows_affected() > 0, "{sql} changes nothing");
    transaction.commit().await.expect("an answer");
}

/// What is found after tampering, without the cursors, which differ from run to run.
pub(super) async fn found_after(sql: &str) -> Vec<String> {
    let key = key();
    let database = sealed(&key).await;
    tamper(&database, sql).await;
    let report = verify(&database, Verifier::trusting(vec![key.verifying_key()])).await;
    report.findings.iter().map(without_place).collect()
}

fn without_place(finding: &Finding) -> String {
    let text = finding.to_string();
    match (text.find(" (at "), text.find("), event")) {
        (Some(from), Some(to)) => format!("{}{}", &text[..from], &text[to + 1..]),
        _ => text,
    }
}

pub(super) fn event_name(sequence: u64, number: u128) -> String {
    format!("event {sequence} of job {}", Uuid::from_u128(number))
}

pub(super) fn event(sequence: u64, number: u128) -> String {
    format!("aggregate_id = '{}' AND sequence = {sequence}", Uuid::from_u128(number))
}

#[tokio::test]
async fn an_untouched_store_is_sound_and_its_newest_events_are_not_covered() {
    let key = key();
    let report = verify(&sealed(&key).await, Verifier::trusting(vec![key.verifying_key()])).await;
    assert_eq!((report.events, report.sealed, report.seals, report.trusted), (9, 8, 2, true));
    assert_eq!(report.findings, vec![]);
    let untrusting = verify(&sealed(&key).await, Verifier::trusting(vec![])).await;
    assert_eq!((untrusting.findings, untrusting.trusted), (vec![], false));
}

#[tokio::test]
async fn two_sealers_make_one_chain() {
    let key = key();
    let database = database().await;
    let bus = bus(&database);
    let sealers = [sealer(&database, &key), sealer(&database, &key)];
    for job in 1..=20 {
        bus.create(Uuid::from_u128(job), create(), &context()).await.expect("a new job");
        let (one, two) = tokio::join!(sealers[0].seal_all(), sealers[1].seal_all());
        one.and(two).expect("an answer");
    }
    first(20, &database).await;
    sealers[0].seal_all().await.expect("an answer");
    let report = verify(&database, Verifier::trusting(vec![key.verifying_key()])).await;
    assert_eq!((report.sealed, report.findings), (20, vec![]));
}

#[tokio::test]
async fn what_was_changed_is_named_with_its_part() {
    for (change, part) in [
        ("payload = payload || '{\"language\": \"pt\"}'", "payload"),
        ("metadata = metadata || '{\"actor\": \"client:other\"}'", "metadata"),
        ("event_type = 'JobCancelled'", "type, version or recorded time"),
        ("event_version = '99'", "type, version or recorded time"),
        ("recorded_at = recorded_at + interval '1 microsecond'", "type, version or recorded time"),
    ] {
        let found = found_after(&format!("UPDATE events SET {change} WHERE {}", event(1, 3))).await;
        assert_eq!(found, [format!("changed: number 3, {}: {part}", event_name(1, 3))]);
    }
    for change in ["sequence = 7", "aggregate_id = 'another'", "aggregate_type = 'other'"] {
        let found = found_after(&format!("UPDATE events SET {change} WHERE {}", event(2, 2))).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("changed: number 6, event "), "{found:?}");
        assert!(found[0].ends_with(": identity (aggregate or sequence)"), "{found:?}");
    }
}

#[tokio::test]
async fn what_was_removed_is_named() {
    for (sequence, number, place) in [(1, 1, 1), (1, 3, 3), (2, 1, 5), (2, 4, 8)] {
        let found = found_after(&format!("DELETE FROM events WHERE {}", event(sequence, number))).await;
        assert_eq!(found, [format!("removed: number {place}, {}", event_name(sequence, number))]);
    }
    let whole_job = found_after(&format!("DELETE FROM events WHERE aggregate_id = '{}'", Uuid::from_u128(2))).await;
    let nameless = |number| format!("removed: number {number}, of an aggregate that has no events left");
    assert_eq!(whole_job, [nameless(2), nameless(6)]);
}

#[tokio::test]
async fn what_was_inserted_moved_or_swapped_is_named() {
    // With the same transaction and a smaller position it comes before the event that it was copied from.
    let forge = format!(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                             position, transaction_id) OVERRIDING SYSTEM VALUE
         SELECT aggregate_type, 'forged', 1, event_type, event_version, payload, metadata, -position, transaction_id
           FROM events WHERE {}",
        event(1, 2)
    );
    assert_eq!(found_after(&forge).await, ["inserted: number 2, event 1 of job forged"]);

    let swap = format!(
        "UPDATE events e SET transaction_id = o.transaction_id FROM events o
          WHERE e.sequence = 1 AND o.sequence = 1 AND e.aggregate_id <> o.aggregate_id
            AND e.aggregate_id IN ('{0}', '{1}') AND o.aggregate_id IN ('{0}', '{1}')",
        Uuid::from_u128(2),
        Uuid::from_u128(4)
    );
    let mut swapped = found_after(&swap).await;
    swapped.sort();
    assert_eq!(
        swapped,
        [
            format!("moved: {}: from number 2 to 4", event_name(1, 2)),
            format!("moved: {}: from number 4 to 2", event_name(1, 4)),
        ]
    );
    // The first one goes back to just before the seventh; those between move up together.
    let last = format!(
        "UPDATE events SET transaction_id = (SELECT transaction_id FROM events WHERE {}) WHERE {}",
        event(2, 3),
        event(1, 1)
    );
    assert_eq!(
        found_after(&last).await,
        [
            format!("moved: {} and the 4 after it: from number 2 to 1", event_name(1, 2)),
            format!("moved: {}: from number 1 to 6", event_name(1, 1)),
        ]
    );
}

#[tokio::test]
async fn several_at_once_are_all_named() {
    let found = found_after(&format!(
        "DELETE FROM events WHERE {}; UPDATE events SET payload = '{{}}' WHERE {}; DELETE FROM events WHERE {}",
        event(1, 2),
        event(2, 1),
        event(2, 3)
    ))
    .await;
    assert_eq!(
        found,
        [
            format!("changed: number 4, {}: payload", event_name(2, 1)),
            format!("removed: number 2, {}", event_name(1, 2)),
            format!("removed: number 7, {}", event_name(2, 3)),
        ]
    );
}

#[tokio::test]
async fn events_and_seals_are_only_ever_added() {
    let database = sealed(&key()).await;
    for sql in [
        "UPDATE events SET payload = '{}'",
        "DELETE FROM events",
        "TRUNCATE events",
        "UPDATE seals SET note = ''",
        "DELETE FROM seals",
        "TRUNCATE seals",
    ] {
        let refusal = sqlx::query(sql).execute(database.pool()).await.expect_err(sql).to_string();
        assert!(refusal.contains("events and seals are never changed"), "{sql}: {refusal}");
    }
}
