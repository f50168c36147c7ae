//! What the read models show of a job whose data key was destroyed.

use ytcaption_domain::personal::ERASED;
use ytcaption_eventstore::EventReader;

use super::{TestHarness, account};
use crate::{AsOf, JOBS, JobHistory, Rebuild};

#[tokio::test]
async fn after_its_key_is_destroyed_a_rebuild_shows_the_job_as_erased_and_nothing_is_parked() {
    let harness = TestHarness::open().await;
    let jobs = [harness.create(Some("https://example.org/hook")).await, harness.create(None).await];
    for id in jobs {
        harness.complete(id).await;
    }
    harness.project().await;
    assert!(harness.database.data_keys().destroy(jobs[0].0).await.expect("an answer"));

    let mut rebuild = Rebuild::begin(&harness.database, JOBS).await.expect("no other rebuild runs");
    while rebuild.advance().await.expect("an answer") {}
    assert_eq!(rebuild.switch(false).await.expect("nothing is lost").parked, 0);
    rebuild.end().await.expect("an answer");
    assert_eq!(harness.differences(JOBS).await, []);

    for (id, erased, source, title, text) in
        [(jobs[0], true, ERASED, ERASED, ""), (jobs[1], false, "https://example.org/v", "T", "hello world")]
    {
        let view = harness.view(id).await;
        assert_eq!((view.erased, view.source_name.as_str(), view.title.as_deref()), (erased, source, Some(title)));
        let reader = EventReader::new(&harness.database);
        let history = JobHistory::load(&reader, &account(), id).await.expect("a job of the account");
        assert_eq!(history.timeline().erased, erased);
        let now = AsOf::Version(view.version);
        assert_eq!(history.at(now).expect("its newest version").view.erased, erased);
        let transcript = harness.transcript(id).await.expect("the job is completed");
        let texts: Vec<&str> = transcript.segments.iter().map(|segment| segment.text.as_str()).collect();
        assert_eq!(texts.join(" "), text);
    }
    let view = harness.view(jobs[0]).await;
    assert_eq!(view.webhook_url.as_deref(), Some(ERASED));
}
