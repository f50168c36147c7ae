//! The relay publishes events that it does not know.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use uuid::Uuid;
use ytcaption_domain::job::JobEvent;

use super::tests::{on_stream, wait_for_count};
use crate::testing::TestHarness;

async fn record(harness: &TestHarness, id: u128, name: &str, version: &str, metadata: Value) {
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
         VALUES ('job', $1, 1, $2, $3, $4, $5)",
    )
    .bind(Uuid::from_u128(id).to_string())
    .bind(name)
    .bind(version)
    .bind(json!({ "type": name, "new": true }))
    .bind(metadata)
    .execute(harness.deps.database.pool())
    .await
    .unwrap();
}

fn metadata(id: u128) -> Value {
    json!({
        "event_id": Uuid::from_u128(id), "occurred_at": "2026-01-31T14:05:00Z", "route": "normal", "account": "default",
        "actor": "system:tomorrow", "correlation_id": Uuid::from_u128(7), "data_key": Uuid::from_u128(id),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_events_are_published_and_a_corrupt_one_delays_no_other() {
    let mut harness = TestHarness::new().await;
    record(&harness, 1, "JobPaused", "1", metadata(1)).await;
    record(&harness, 2, "JobCreated", "9", metadata(2)).await;
    record(&harness, 3, "JobCreated", "1", json!({ "event_id": "none" })).await;
    harness.start_relay();
    let job = harness.submit_url("http://example.org/a.mp4").await;
    wait_for_count(&harness, 3).await;
    let messages = on_stream(&harness).await;
    let kinds: Vec<&str> = messages.iter().map(|(_, event)| event.kind.as_str()).collect();
    let created = "ytcaption.job.JobCreated";
    assert_eq!(kinds, ["ytcaption.job.JobPaused.v1", &format!("{created}.v9"), &format!("{created}.v2")]);
    let (message, event) = &messages[0];
    assert_eq!((event.actor.as_str(), &event.data.as_ref().unwrap()["new"]), ("system:tomorrow", &json!(true)));
    assert!(message.subject.contains(".JobPaused.normal."), "{}", message.subject);
    assert_eq!(messages[2].1.subject, job.to_string());
    // Readers recognise those of a newer version.
    for (_, event) in &messages[..2] {
        assert!(event.decode::<JobEvent>().unwrap_err().is_newer(), "{event:?}");
    }
    assert!(matches!(messages[2].1.decode::<JobEvent>().unwrap()[..], [JobEvent::JobCreated { .. }]));
}
