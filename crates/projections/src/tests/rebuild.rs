//! Rebuilding and comparing, step by step.

use serde_json::json;
use ytcaption_domain::JobId;
use ytcaption_domain::delivery::DeliveryCommand;
use ytcaption_domain::job::JobCommand;
use ytcaption_eventstore::{IdGenerator, begin};

use super::{TestHarness, context};
use crate::{JOBS, ParkedEvents, Projector, Rebuild, RebuildError, generation};

/// Three jobs at different places of their lives; all projected.
async fn three_jobs(harness: &TestHarness) -> [JobId; 3] {
    let hook = Some("https://example.org/hook");
    let jobs = [harness.create(hook).await, harness.create(None).await, harness.create(None).await];
    harness.complete(jobs[0]).await;
    harness.execute(jobs[1], JobCommand::StartDownload { worker: "w".into() }).await;
    let delivered = DeliveryCommand::RecordDelivered { job_id: jobs[0], host: "example.org".into(), http_status: 200 };
    harness.deliveries.create(IdGenerator::system().new_id(), delivered, &context()).await.expect("a delivery");
    harness.project().await;
    jobs
}

/// Which generations have rows.
async fn generations(harness: &TestHarness) -> Vec<i32> {
    let tables = JOBS.tables().map(|table| {
        let of_projection = if table.is_shared { " WHERE projection = 'jobs'" } else { "" };
        format!("SELECT generation FROM {}{of_projection}", table.name)
    });
    let tables = tables.collect::<Vec<_>>();
    sqlx::query_scalar(&format!("{} ORDER BY 1", tables.join(" UNION ")))
        .fetch_all(harness.database.pool())
        .await
        .expect("the tables are there")
}

#[tokio::test]
async fn a_rebuilt_read_model_is_the_live_one_and_takes_its_place() {
    let harness = TestHarness::open().await;
    let jobs = three_jobs(&harness).await;
    assert_eq!(harness.differences(JOBS).await, []);
    let mut before = vec![];
    for id in jobs {
        before.push(harness.view(id).await);
    }
    let mut rebuild = Rebuild::begin(&harness.database, JOBS).await.expect("no other rebuild runs");
    while rebuild.advance().await.expect("an answer") {}
    let switched = rebuild.switch(false).await.expect("nothing is lost");
    assert_eq!((switched.events, switched.parked), (harness.events(None).await, 0));
    rebuild.end().await.expect("an answer");
    assert_eq!(generations(&harness).await, [switched.generation]);
    for (id, before) in jobs.into_iter().zip(before) {
        assert_eq!(harness.view(id).await, before);
    }
    // The projector goes on in the new one.
    harness.execute(jobs[2], JobCommand::Cancel { reason: None }).await;
    harness.project().await;
    assert_eq!(generations(&harness).await, [switched.generation]);
    assert_eq!(harness.differences(JOBS).await, []);
}

#[tokio::test]
async fn a_rebuild_goes_beyond_a_projector_that_is_stopped_and_moves_its_checkpoint() {
    let harness = TestHarness::open().await;
    let jobs = three_jobs(&harness).await;
    harness.execute(jobs[2], JobCommand::Cancel { reason: None }).await;
    harness.until_final().await;
    let mut rebuild = Rebuild::begin(&harness.database, JOBS).await.expect("no other rebuild runs");
    while rebuild.advance().await.expect("an answer") {}
    rebuild.switch(false).await.expect("nothing is lost");
    rebuild.end().await.expect("an answer");
    let status: String = sqlx::query_scalar("SELECT status FROM jobs WHERE job_id = $1")
        .bind(jobs[2].0)
        .fetch_one(harness.database.pool())
        .await
        .expect("a row");
    assert_eq!(status, "cancelled");
    assert_eq!(harness.projectors[0].catch_up().await.expect("an answer"), 0, "nothing is applied twice");
    assert_eq!(harness.differences(JOBS).await, []);
}

#[tokio::test]
async fn what_differs_is_named_by_table_row_and_column() {
    let harness = TestHarness::open().await;
    let [completed, started, waiting] = three_jobs(&harness).await;
    harness.change(&format!("UPDATE jobs SET view = view || '{{\"title\": \"Forged\", \"chunks_done\": 7}}' WHERE job_id = '{completed}'")).await;
    harness
        .change(&format!(
            "UPDATE transcript_chunks SET segments = jsonb_set(segments, '{{0,text}}', '\"forged\"')
              WHERE job_id = '{completed}' AND chunk = 1"
        ))
        .await;
    harness.change(&format!("DELETE FROM jobs WHERE job_id = '{waiting}'")).await;
    harness
        .change(&format!(
            "INSERT INTO transcript_chunks SELECT generation, '{started}', 0, segments
               FROM transcript_chunks WHERE chunk = 0"
        ))
        .await;
    let found = harness.differences(JOBS).await;
    let mut changed: Vec<_> = found
        .iter()
        .filter(|difference| !difference.column.is_empty())
        .map(|d| (d.table, d.key.clone(), d.column.as_str(), d.live.clone(), d.rebuilt.clone()))
        .collect();
    changed.sort_by(|one, other| (one.0, one.2).cmp(&(other.0, other.2)));
    let id = completed.to_string();
    assert_eq!(
        changed,
        [
            ("jobs", id.clone(), "chunks_done", json!(7), json!(2)),
            ("jobs", id.clone(), "title", json!("Forged"), json!("T")),
            ("transcript_chunks", format!("{id}/1"), "segments/0/text", json!("forged"), json!("world")),
        ]
    );
    let rows: Vec<_> = found.iter().filter(|difference| difference.column.is_empty()).collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows.iter().any(|row| row.key == waiting.to_string() && row.live.is_null() && !row.rebuilt.is_null()));
    assert!(rows.iter().any(|row| row.key == format!("{started}/0") && row.rebuilt.is_null() && !row.live.is_null()));

    let mut rebuild = Rebuild::begin(&harness.database, JOBS).await.expect("no other rebuild runs");
    rebuild.switch(false).await.expect("nothing is lost");
    rebuild.end().await.expect("an answer");
    assert_eq!(harness.differences(JOBS).await, [], "a rebuild puts it right");
}

#[tokio::test]
async fn one_rebuild_at_a_time_and_what_a_killed_one_leaves_is_not_seen() {
    let harness = TestHarness::open().await;
    let jobs = three_jobs(&harness).await;
    let before = harness.view(jobs[0]).await;
    let mut killed = Rebuild::begin(&harness.database, JOBS).await.expect("no other rebuild runs");
    assert!(killed.advance().await.expect("an answer"));
    let refused = Rebuild::begin(&harness.database, JOBS).await.expect_err("one at a time");
    assert!(matches!(refused, RebuildError::Busy), "{refused}");
    assert_eq!(generations(&harness).await, [1, 2]);
    // Its connection ends as that of a killed process does.
    drop(killed);
    assert_eq!(harness.view(jobs[0]).await, before);
    let mut again = loop {
        match Rebuild::begin(&harness.database, JOBS).await {
            Ok(again) => break again,
            Err(RebuildError::Busy) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(generations(&harness).await, [1], "its rows are gone");
    while again.advance().await.expect("an answer") {}
    again.switch(false).await.expect("nothing is lost");
    again.end().await.expect("an answer");
    assert_eq!((generations(&harness).await, harness.view(jobs[0]).await), (vec![2], before));
}

#[tokio::test]
async fn a_rebuild_that_would_know_less_is_not_switched_to_unless_accepted() {
    let harness = TestHarness::open().await;
    let jobs = three_jobs(&harness).await;
    // As if an older version rebuilt, which does not know an event that is applied.
    sqlx::query("ALTER TABLE events DISABLE TRIGGER USER")
        .execute(harness.database.pool())
        .await
        .expect("an owner may");
    let forget = "UPDATE events SET event_type = 'FromTheFuture' WHERE sequence = 2 AND aggregate_id =";
    harness.change(&format!("{forget} '{}'", jobs[0])).await;
    let lost = harness.events(Some(jobs[0])).await - 1;
    let mut rebuild = Rebuild::begin(&harness.database, JOBS).await.expect("no other rebuild runs");
    let refused = rebuild.switch(false).await.expect_err("events would be lost");
    assert!(matches!(refused, RebuildError::WouldLose(n) if n == lost), "{refused}");
    assert_eq!(harness.view(jobs[0]).await.chunks_done, 2, "the live one stays");
    assert_eq!(ParkedEvents::new(&harness.database).count(Some(&JOBS)).await.expect("a number"), 0);
    rebuild.end().await.expect("an answer");
    let mut rebuild = Rebuild::begin(&harness.database, JOBS).await.expect("no other rebuild runs");
    assert_eq!(rebuild.switch(true).await.expect("it is accepted").parked, lost);
    rebuild.end().await.expect("an answer");
    assert_eq!(ParkedEvents::new(&harness.database).count(Some(&JOBS)).await.expect("a number"), lost);
    assert_eq!(harness.transcript(jobs[0]).await, None, "no text with holes");
}

#[tokio::test]
async fn a_page_that_waits_for_the_switch_goes_to_the_new_generation() {
    let harness = TestHarness::open().await;
    let jobs = three_jobs(&harness).await;
    let mut rebuild = Rebuild::begin(&harness.database, JOBS).await.expect("no other rebuild runs");
    while rebuild.advance_to_live().await.expect("an answer") {}
    harness.execute(jobs[2], JobCommand::Cancel { reason: None }).await;
    harness.until_final().await;
    // What the switch does, held in the middle.
    let pool = harness.database.pool();
    let mut switch = begin(pool).await.expect("a transaction");
    rebuild.checkpoint.lock(&mut switch).await.expect("an answer");
    let projector = Projector::new(&harness.database, JOBS);
    let page = tokio::spawn(async move { projector.catch_up().await });
    let waits = "SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'UPDATE checkpoints%'";
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(pool).await.expect("an answer") == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    generation::switch(&mut *switch, JOBS.name(), rebuild.generation).await.expect("an answer");
    switch.commit().await.expect("an answer");
    assert_eq!(page.await.expect("no panic").expect("an answer"), 1);
    let versions: Vec<(i32, i64)> =
        sqlx::query_as("SELECT generation, version FROM jobs WHERE job_id = $1 ORDER BY generation")
            .bind(jobs[2].0)
            .fetch_all(pool)
            .await
            .expect("the table is there");
    assert_eq!(versions, [(rebuild.live, 1), (rebuild.generation, 2)]);
}

#[tokio::test]
async fn the_role_of_the_services_is_enough() {
    let harness = TestHarness::open().await;
    three_jobs(&harness).await;
    harness.database.grant_service_role("services_of_projections", None).await.expect("an owner may");
    let services = harness.as_another_process(Some("services_of_projections"));
    let denied = sqlx::query("DELETE FROM events").execute(services.pool()).await.expect_err("it may not");
    assert!(denied.to_string().contains("permission denied"), "{denied}");
    harness.create(None).await;
    harness.until_final().await;
    Projector::new(&services, JOBS).catch_up().await.expect("an answer");
    let mut rebuild = Rebuild::begin(&services, JOBS).await.expect("no other rebuild runs");
    assert_eq!(rebuild.compare().await.expect("an answer").next_page().await.expect("an answer"), None);
    rebuild.switch(false).await.expect("nothing is lost");
    rebuild.end().await.expect("an answer");
    ParkedEvents::new(&services).retry(&JOBS, 10).await.expect("an answer");
    assert_eq!(harness.differences(JOBS).await, []);
}
