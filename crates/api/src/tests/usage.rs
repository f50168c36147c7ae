use serde_json::{Value, json};
use ytcaption_projections::{Projector, USAGE};

use super::{Api, eventually};

const USAGE_PATH: &str = "/api/v1/usage";

/// The day (UTC) of a time of the API.
fn day(time: &Value) -> &str {
    time.as_str().and_then(|time| time.split_once('T')).expect("a time").0
}

#[tokio::test]
async fn jobs_and_media_of_the_account_are_counted_by_day() {
    let api = Api::new().await;
    let completed = api.submitted().await;
    let failed = api.submitted().await;
    api.complete(completed, None).await;
    api.fail(failed, "gone", "The video is gone.").await;
    let projector = Projector::new(&api.database, USAGE);
    let job = api.get(&format!("{}/{completed}", super::COLLECTION)).await.json();
    // Around midnight the events may be of two days.
    let (first, last) = (day(&job["created_at"]), day(&job["ended_at"]));
    let path = format!("{USAGE_PATH}?from={first}&to={last}");
    let sum = |usage: &Value, name: &str| -> u64 {
        usage["days"].as_array().expect("a list").iter().filter_map(|day| day[name].as_u64()).sum()
    };
    eventually("both jobs are counted", async || {
        projector.catch_up().await.expect("the database answers");
        let usage = api.get(&path).await.json();
        let counts = ["jobs_created", "jobs_completed", "jobs_failed", "jobs_cancelled", "media_ms"];
        counts.map(|name| sum(&usage, name)) == [2, 1, 1, 0, 4_000]
    })
    .await;
    let before = api.get(&format!("{USAGE_PATH}?from=2020-01-01&to=2020-12-31")).await.json();
    assert_eq!(before, json!({ "days": [] }));
}

#[tokio::test]
async fn a_period_that_is_not_valid_is_refused() {
    let api = Api::new().await;
    for (query, errors) in [
        ("", 2),
        ("?from=2026-01-01", 1),
        ("?from=yesterday&to=2026-02-30", 2),
        ("?from=2026-01-02&to=2026-01-01", 1),
        ("?from=2025-01-01&to=2026-01-02", 1),
        ("?from=2026-01-01&to=2026-01-02&account=other", 1),
    ] {
        let problem = api.get(&format!("{USAGE_PATH}{query}")).await.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"].as_array().map(Vec::len), Some(errors), "{query}: {problem}");
    }
}
