//! Every way to tamper with a store, as a superuser would, in a real Postgres: found, and found where.

use sqlx::Executor as _;
use uuid::Uuid;

use super::*;
use crate::tests::{bus, context, create, database, first, start};
use crate::{Database, Exporter, Stamp};

/// Jobs, each with two events: numbers 1 to 4 create them, 5 to 8 start them.
const JOBS: u128 = 4;
/// Events under the first of two seals.
const FIRST_SEAL: usize = 5;

fn key() -> SealingKey {
    SealingKey::generate().expect("a random source")
}

fn sealer(database: &Database, key: &SealingKey) -> Sealer {
    let same = SealingKey::from_pem(&key.to_pem().expect("a key")).expect("a key");
    Sealer::new(database, same, Stamp::system())
}

/// A store with eight events under two seals, and one without.
async fn sealed(key: &SealingKey) -> Database {
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

async fn verify(database: &Database, verifier: Verifier) -> Report {
    verifier.database(database.pool(), |_| ()).await.expect("an answer")
}

/// Changes the store past its triggers, as its superuser can.
async fn tamper(database: &Database, sql: &str) {
    let mut transaction = database.pool().begin().await.expect("a transaction");
    transaction.execute("SET LOCAL session_replication_role = replica").await.expect("a superuser");
    let done = transaction.execute(sqlx::raw_sql(sql)).await.expect(sql);
    assert!(done.rows_affected() > 0, "{sql} changes nothing");
    transaction.commit().await.expect("an answer");
}

/// What is found after tampering, without the places in the feed, which differ from run to run.
async fn found_after(sql: &str) -> Vec<String> {
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

fn of(sequence: u64, number: u128) -> String {
    format!("event {sequence} of job {}", Uuid::from_u128(number))
}

fn event(sequence: u64, number: u128) -> String {
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
async fn what_was_changed_is_named_with_its_part() {
    for (change, part) in [
        ("payload = payload || '{\"language\": \"pt\"}'", "payload"),
        ("metadata = metadata || '{\"actor\": \"client:nobody\"}'", "metadata"),
        ("event_type = 'JobCancelled'", "type, version or time of recording"),
        ("event_version = '99'", "type, version or time of recording"),
        ("recorded_at = recorded_at + interval '1 microsecond'", "type, version or time of recording"),
    ] {
        let found = found_after(&format!("UPDATE events SET {change} WHERE {}", event(1, 3))).await;
        assert_eq!(found, [format!("changed: number 3, {}: {part}", of(1, 3))]);
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
        assert_eq!(found, [format!("removed: number {place}, {}", of(sequence, number))]);
    }
    let whole_job = found_after(&format!("DELETE FROM events WHERE aggregate_id = '{}'", Uuid::from_u128(2))).await;
    let nameless = |number| format!("removed: number {number}, of an aggregate that has no events left");
    assert_eq!(whole_job, [nameless(2), nameless(6)]);
}

#[tokio::test]
async fn what_was_inserted_moved_or_swapped_is_named() {
    // With the same transaction and a smaller position it stands before the event that it was copied from.
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
        [format!("moved: {}: from number 2 to 4", of(1, 2)), format!("moved: {}: from number 4 to 2", of(1, 4)),]
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
            format!("moved: {} and the 4 after it: from number 2 to 1", of(1, 2)),
            format!("moved: {}: from number 1 to 6", of(1, 1)),
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
            format!("changed: number 4, {}: payload", of(2, 1)),
            format!("removed: number 2, {}", of(1, 2)),
            format!("removed: number 7, {}", of(2, 3)),
        ]
    );
}

#[tokio::test]
async fn what_was_done_to_the_seals_is_named() {
    let signature = "seal 1: it was changed: its signature is wrong";
    for (sql, expected) in [
        (
            "UPDATE seals SET note = replace(note, 'v1', 'v2') WHERE number = 1",
            vec![signature, "seal 1: it was changed: its note cannot be read"],
        ),
        ("UPDATE seals SET note = overlay(note placing 'A' from length(note) - 20) WHERE number = 1", vec![signature]),
        (
            "UPDATE seals SET prints = substr(prints, 33) WHERE number = 1",
            vec!["seal 1: it was changed: it covers another number of events than it has prints for"],
        ),
        (
            "DELETE FROM seals WHERE number = 1",
            vec!["seal 2: it does not follow on the seal before: at least one between them was removed"],
        ),
        ("UPDATE seals SET signed_by = 'me' WHERE number = 1", vec![signature]),
    ] {
        assert_eq!(found_after(sql).await, expected, "{sql}");
    }
    // Also the print of an event: it then differs from the event, which the hash of the chain still covers.
    let print =
        found_after("UPDATE seals SET prints = set_byte(prints, 20, 255 - get_byte(prints, 20)) WHERE number = 1")
            .await;
    assert_eq!(print, [format!("changed: number 1, {}: payload", of(1, 1))]);
}

#[tokio::test]
async fn a_store_that_was_sealed_anew_by_somebody_else_is_found_by_the_key_and_by_a_checkpoint() {
    let (key, forger) = (key(), key());
    let database = sealed(&key).await;
    let checkpoint = newest_seal(database.pool()).await.expect("an answer").expect("a seal").0.note;
    tamper(&database, &format!("UPDATE events SET payload = '{{}}' WHERE {}", event(1, 3))).await;
    tamper(&database, "DELETE FROM seals").await;
    assert!(sealer(&database, &forger).seal_all().await.expect("an answer") >= 8);

    let by_key = verify(&database, Verifier::trusting(vec![key.verifying_key()])).await;
    assert_eq!(by_key.findings, [Finding::Seal { seal: 1, fault: SealFault::ForeignKey }]);
    assert!(!by_key.trusted);
    let kept = Some(checkpoint.clone());
    let both = vec![key.verifying_key(), forger.verifying_key()];
    let by_checkpoint = verify(&database, Verifier::trusting(both).with_checkpoint(kept)).await;
    assert_eq!(by_checkpoint.findings, [Finding::Rewritten { then: 8 }]);
    // Without both there is nothing to tell it by.
    assert_eq!(verify(&database, Verifier::trusting(vec![])).await.findings, vec![]);
    let not_mine =
        verify(&database, Verifier::trusting(vec![forger.verifying_key()]).with_checkpoint(Some(checkpoint)));
    assert_eq!(not_mine.await.findings, [Finding::UntrustedCheckpoint]);
}

#[tokio::test]
async fn a_tail_cut_off_together_with_its_seal_is_found_by_a_checkpoint() {
    let key = key();
    let database = sealed(&key).await;
    let checkpoint = newest_seal(database.pool()).await.expect("an answer").expect("a seal").0.note;
    tamper(&database, "DELETE FROM seals WHERE number = 2").await;
    tamper(&database, &format!("DELETE FROM events WHERE sequence >= 2 AND NOT ({})", event(2, 1))).await;
    let trusted = || Verifier::trusting(vec![key.verifying_key()]);
    assert_eq!(verify(&database, trusted()).await.findings, vec![]);
    let report = verify(&database, trusted().with_checkpoint(Some(checkpoint))).await;
    assert_eq!(report.findings, [Finding::CutOff { then: 8, now: 5 }]);
}

/// What is found in an export after a change of its lines: the beginning, five events, a seal, three events, a seal, an
/// event, the end.
async fn found_in_export(change: impl FnOnce(&mut Vec<String>)) -> Vec<String> {
    let key = key();
    let database = sealed(&key).await;
    let mut export = Exporter::begin(database.pool().clone()).await.expect("an answer");
    let mut lines = export.next_lines().await.expect("an answer");
    lines.extend(export.next_lines().await.expect("an answer"));
    assert_eq!(lines.len(), 13);
    change(&mut lines);
    let mut verifier = FileVerifier::new(Verifier::trusting(vec![key.verifying_key()]));
    lines.iter().for_each(|line| verifier.line(line));
    verifier.finish().findings.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_changed_export_is_found_without_a_database() {
    assert_eq!(found_in_export(|_| ()).await, Vec::<String>::new());
    let other_end = |line| format!("line {line}: the events before it are not those that were exported");
    let changed = found_in_export(|lines| lines[3] = lines[3].replace("\"auto\"", "\"pt\"")).await;
    assert_eq!(changed, [format!("changed: number 3, {}: payload", of(1, 3)), other_end(13)]);
    let removed = found_in_export(|lines| drop(lines.remove(4))).await;
    assert_eq!(removed, [format!("removed: number 4, {}", of(1, 4)), other_end(12)]);
    let swapped = found_in_export(|lines| lines.swap(2, 3)).await;
    assert_eq!(swapped.len(), 3, "{swapped:?}");
    let twice = found_in_export(|lines| lines.insert(2, lines[1].clone())).await;
    assert_eq!(twice, [format!("inserted: number 2, {}", of(1, 1)), other_end(14)]);
    let cut_off = found_in_export(|lines| lines.truncate(9)).await;
    let cut = "line 10: the last line is missing: the export is cut off".to_owned();
    assert_eq!(cut_off, [cut, "seal 2: it is missing at the end".to_owned()]);
    let garbled = found_in_export(|lines| lines[2].truncate(50)).await;
    assert!(garbled[0].starts_with("line 3: it is no exported event"), "{garbled:?}");
    assert_eq!(garbled[1], format!("removed: number 2, {}", of(1, 2)));
    let no_end = found_in_export(|lines| drop(lines.remove(0))).await;
    assert!(no_end[0].contains("of an earlier version"), "{no_end:?}");
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
        assert!(refusal.contains("what has happened is never changed"), "{sql}: {refusal}");
    }
}

#[tokio::test]
async fn the_chain_is_what_its_description_says() {
    let database = sealed(&key()).await;
    let mut export = Exporter::begin(database.pool().clone()).await.expect("an answer");
    let mut lines = export.next_lines().await.expect("an answer");
    lines.extend(export.next_lines().await.expect("an answer"));
    // Anybody's SHA-256 over the lines as they stand in the file.
    let script = "import base64, hashlib, json, sys\n\
        h = bytes(32)\n\
        for line in sys.stdin.buffer.read().splitlines():\n\
        \x20   said = json.loads(line)\n\
        \x20   if 'event_type' in said: h = hashlib.sha256(h + hashlib.sha256(line).digest()).digest()\n\
        \x20   note = said.get('seal', {}).get('note') or f\"\\n\\n{said.get('ytcaption_events_end', {}).get('hash')}\"\n\
        \x20   if 'event_type' not in said and 'ytcaption_events_export' not in said: assert note.split('\\n')[2] == base64.b64encode(h).decode(), line\n\
        print(base64.b64encode(h).decode())\n";
    let file = std::env::temp_dir().join(format!("ytcaption-chain-{}", std::process::id()));
    std::fs::write(&file, lines.join("\n")).expect("a temporary file");
    let python = std::process::Command::new("python3")
        .args(["-c", script])
        .stdin(std::fs::File::open(&file).expect("the file"))
        .output()
        .expect("python3 runs");
    let _ = std::fs::remove_file(&file);
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    let hash = String::from_utf8(python.stdout).expect("text");
    assert!(lines.last().expect("the end").contains(hash.trim()), "{hash} is not in {lines:?}");
}

#[test]
fn a_key_and_a_note_are_in_the_forms_of_their_standards() {
    let key = key();
    let pem = key.to_pem().expect("a key");
    assert_eq!(pem.lines().count(), 3, "{pem}");
    assert_eq!(SealingKey::from_pem(&pem).expect("the same key").verifying_key(), key.verifying_key());
    let text = key.verifying_key().to_string();
    assert_eq!(text.parse::<VerifyingKey>().expect("the same key"), key.verifying_key());
    for wrong in ["", "me", &text.replace("events", "event"), &text[..text.len() - 1], &format!("{text}+")] {
        assert!(wrong.parse::<VerifyingKey>().is_err(), "{wrong}");
    }
    for wrong in ["", "-----BEGIN PRIVATE KEY-----", &pem.replace('M', "N")] {
        assert!(SealingKey::from_pem(wrong).is_err(), "{wrong}");
    }
    // The example of the specification's reference implementation (golang.org/x/mod/sumdb/note).
    let peter: VerifyingKey =
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().expect("a key");
    let note = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n\n\
                — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    assert!(note::is_signed_by(note, &peter));
    assert!(!note::is_signed_by(&note.replace("answer", "question"), &peter));
}
