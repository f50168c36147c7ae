//! Events that could not be applied to a read model, over REST: the same list as on the command line.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::client::{Client, JOB_TIMEOUT, JOBS, problem};
use crate::stalled_site::StalledSite;
use crate::system::System;

const PARKED: &str = "/api/v1/audit/parked";

/// Appends two events to a job: one with a version that this program does not know, and one that it blocks.
async fn append_unknown_version(system: &System, job: &str) {
    let mut store = PgConnection::connect(system.database_url()).await.unwrap();
    let insert = "
        INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
        SELECT aggregate_type, aggregate_id, newest + number, 'DownloadStarted', version,
               '{\"type\": \"DownloadStarted\", \"attempt\": 1, \"worker\": \"w\"}', metadata
          FROM events, (SELECT max(sequence) AS newest FROM events WHERE aggregate_id = $1) AS job,
               (VALUES (1, '9'), (2, '1')) AS later (number, version)
         WHERE aggregate_id = $1 AND sequence = 1";
    sqlx::query(insert).bind(job).execute(&mut store).await.unwrap();
}

#[tokio::test]
async fn parked_events_are_listed_page_by_page() {
    let system = System::start().await;
    let (stalled, client) = (StalledSite::start().await, Client::for_system(&system));
    let page = async |query: &str| client.get(&format!("{PARKED}{query}")).await.json::<Value>().await.unwrap();
    assert_eq!(page("").await, json!({ "total": 0, "events": [] }));
    for name in ["a", "b"] {
        let job = client.submit_url(&stalled.video_url(name)).await;
        client.post(&format!("{JOBS}/{job}/cancel"), &json!({})).await.error_for_status().unwrap();
        client.wait_until(&job, |job| job["status"] == "cancelled").await;
        append_unknown_version(&system, &job).await;
    }
    let deadline = Instant::now() + JOB_TIMEOUT;
    while page("").await["total"] != 8 {
        assert!(Instant::now() < deadline, "{}", page("").await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    let (mut events, mut query) = (vec![], "?limit=1".to_owned());
    loop {
        let page = page(&query).await;
        assert_eq!(page["total"], 8);
        events.extend(page["events"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=1&cursor={next}");
    }
    // Each of the two projections has parked each of the four events.
    let blocked: Vec<&Value> = events.iter().map(|event| &event["blocked"]).collect();
    assert_eq!(
        blocked,
        [false, false, false, false, true, true, true, true],
        "the events that cannot be applied come first"
    );
    assert!(events[0]["error"].as_str().unwrap().contains("a newer version of the program"), "{}", events[0]);

    // The projector retries every minute and updates this time.
    let without_retry = |mut event: Value| {
        event["retried_at"] = Value::Null;
        event
    };
    let printed = system.command(&["replay", "parked", "--json"]).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let printed: Vec<Value> = printed.lines().map(|line| without_retry(serde_json::from_str(line).unwrap())).collect();
    assert_eq!(events.into_iter().map(without_retry).collect::<Vec<_>>(), printed);

    let refused = problem(client.get(&format!("{PARKED}?cursor=742-1205")).await, 400, "invalid-parameter").await;
    assert_eq!(refused["errors"][0]["parameter"], "cursor");
}
