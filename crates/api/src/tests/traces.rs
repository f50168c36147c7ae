use std::sync::Once;

use serde_json::json;
use ytcaption_telemetry::{LogSettings, TelemetrySettings};

use super::{Api, COLLECTION};

const INCOMING: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Traces as in the running program, without its log.
fn start_traces() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let log = LogSettings { filter: "off".to_owned(), ..LogSettings::default() };
        let settings = TelemetrySettings { log, otlp_endpoint: None };
        // Traces go on until the process ends.
        std::mem::forget(ytcaption_telemetry::init(&settings, "test").expect("nothing else starts telemetry here"));
    });
}

#[tokio::test]
async fn the_clients_trace_goes_on_in_the_event_and_comes_back() {
    start_traces();
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
