use serde_json::json;

use super::{Api, COLLECTION};

const INCOMING: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[tokio::test]
async fn the_clients_trace_goes_on_in_the_event_and_comes_back() {
    let api = Api::new().await;
    let body = json!({"url": "https://example.org/a"});
    let answer = api.post_with(COLLECTION, &body, &[("traceparent", INCOMING)]).await;
    let ours = answer.header("traceparent");
    assert!(ours.contains(TRACE) && ours != INCOMING, "{ours}");
    let events = api.events(answer.job_id()).await;
    assert_eq!(events[0].metadata.context.traceparent.as_deref(), Some(ours));

    let alone = api.post(COLLECTION, &body).await;
    assert!(!alone.header("traceparent").is_empty() && !alone.header("traceparent").contains(TRACE));
}
