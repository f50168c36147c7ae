use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::json;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt as _;

use super::{Api, COLLECTION};

const INCOMING: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[tokio::test]
async fn the_clients_trace_goes_on_in_the_event_and_comes_back() {
    let provider = SdkTracerProvider::builder().build();
    let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    // The runtime of a test has one thread, so this reaches every task of it and no other test.
    let _tracing = tracing::subscriber::set_default(Registry::default().with(traces));
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
