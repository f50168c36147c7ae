//! Tampering with seals, and what only a checkpoint that was kept elsewhere reveals.

use std::time::Duration;

use super::tests::{event, event_name, found_after, key, sealed, sealer, tamper, verify};
use super::*;

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
            "UPDATE seals SET fingerprints = substr(fingerprints, 33) WHERE number = 1",
            vec!["seal 1: it was changed: it covers another number of events than it has fingerprints for"],
        ),
        (
            "DELETE FROM seals WHERE number = 1",
            vec!["seal 2: it does not follow on the seal before: at least one between them was removed"],
        ),
        ("UPDATE seals SET signed_by = 'me' WHERE number = 1", vec![signature]),
    ] {
        assert_eq!(found_after(sql).await, expected, "{sql}");
    }
    // Also the fingerprint of an event: it then differs from the event, which the hash of the chain still covers.
    let fingerprint = found_after(
        "UPDATE seals SET fingerprints = set_byte(fingerprints, 20, 255 - get_byte(fingerprints, 20)) WHERE number = 1",
    )
    .await;
    assert_eq!(fingerprint, [format!("changed: number 1, {}: payload", event_name(1, 1))]);
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
    assert_eq!(by_key.findings, [Finding::Seal { seal: 1, defect: SealDefect::ForeignKey }]);
    assert!(!by_key.trusted);
    let kept = Some(checkpoint.clone());
    let both = vec![key.verifying_key(), forger.verifying_key()];
    let by_checkpoint = verify(&database, Verifier::trusting(both).with_checkpoint(kept)).await;
    assert_eq!(by_checkpoint.findings, [Finding::Rewritten { then: 8 }]);
    // Without both it cannot be detected.
    assert_eq!(verify(&database, Verifier::trusting(vec![])).await.findings, vec![]);
    let not_mine =
        verify(&database, Verifier::trusting(vec![forger.verifying_key()]).with_checkpoint(Some(checkpoint)));
    assert_eq!(not_mine.await.findings, [Finding::UntrustedCheckpoint]);
}

#[tokio::test]
async fn the_lag_is_what_no_seal_covers() {
    let key = key();
    let database = sealed(&key).await;
    let lag = async || SealLag::look(database.pool()).await.expect("an answer");
    let behind = lag().await;
    assert_eq!(behind.events, 1, "the ninth event");
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(lag().await.waiting >= behind.waiting + Duration::from_millis(20), "it grows with time");
    assert_eq!(sealer(&database, &key).seal_all().await.expect("an answer"), 1);
    assert_eq!(lag().await, SealLag::default());
    tamper(&database, "DELETE FROM seals").await;
    assert_eq!(lag().await.events, 9, "a chain that is gone covers nothing");
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
