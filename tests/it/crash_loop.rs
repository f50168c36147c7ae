//! A chunk whose native code kills its worker every time: its job fails, says so, and the other jobs complete.

use serde_json::json;

use crate::cluster::{Cluster, Role};
use crate::stalled_site::{REPEATS, StalledSite};

/// The documented number of deaths after which the job is blamed.
const MAX_LOST_ATTEMPTS: usize = 3;

#[tokio::test]
async fn a_chunk_that_kills_its_worker_fails_its_own_job_only() {
    let cluster = Cluster::start().await;
    let (client, history) = (cluster.client(), cluster.history());
    let stalled = StalledSite::start().await;
    stalled.release();
    let hostile = client.submit(&json!({ "url": stalled.talk_url(REPEATS) })).await;
    for attempt in 1..=MAX_LOST_ATTEMPTS {
        history.until(&hostile, "ChunkStarted", attempt).await;
        cluster.crash(Role::Transcribe);
        cluster.launch(Role::Transcribe);
    }
    let webhook = stalled.webhook_url();
    let other = client.submit(&json!({ "url": stalled.talk_url(1), "webhook_url": webhook })).await;
    let failed = client.ended(&hostile).await;
    assert_eq!((&failed["status"], &failed["error"]["code"]), (&json!("failed"), &json!("worker_lost")), "{failed}");
    let message = failed["error"]["message"].as_str().unwrap();
    assert!(message.contains("died 3 times") && message.contains("transcribe"), "{message}");
    assert_eq!(history.count(&hostile, "ChunkStarted").await, MAX_LOST_ATTEMPTS + 1);
    history.assert_completed_once(&client, &other, 1).await;
    assert_eq!(history.count(&other, "ChunkStarted").await, 1);
}
