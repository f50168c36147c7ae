//! A job can be observed in the logs, in one trace and in the metrics.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, JOBS};
use crate::media_site;
use crate::system::System;
use crate::trace_collector::Collector;
use crate::webhook_receiver::WebhookReceiver;

/// The trace id and span id that the client sends; the job must continue this trace.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT_SPAN: &str = "b7ad6b7169203331";

#[tokio::test]
async fn a_job_is_observed_in_logs_traces_and_metrics() {
    let (collector, receiver) = (Collector::start().await, WebhookReceiver::start().await);
    let system = System::start_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint),
        ("OTEL_BSP_SCHEDULE_DELAY", "500"),
        ("YTCAPTION_LOG__FORMAT", "json"),
    ])
    .await;
    let client = Client::for_system(&system);
    let response = client
        .request(Method::POST, JOBS)
        .header("traceparent", format!("00-{TRACE}-{CLIENT_SPAN}-01"))
        .json(&json!({ "url": media_site::url("/video.mp4"), "webhook_url": receiver.url("hook") }))
        .send()
        .await
        .unwrap();
    assert!(response.headers()["traceparent"].to_str().unwrap().contains(TRACE));
    let accepted: Value = response.json().await.unwrap();
    let id = accepted["job_id"].as_str().unwrap();
    let webhook = receiver.wait_for("hook", 1).await.remove(0);
    client.completed(id).await;

    one_trace(&collector, webhook.header("traceparent")).await;
    log_lines_of_every_step(&system.log(), id);
    client.get(&format!("{JOBS}/{id}")).await;
    metrics(&client).await;
}

/// From the request through each message to the webhook, every span has its parent in the trace.
async fn one_trace(collector: &Collector, webhook_traceparent: &str) {
    let [download, transcribe, notify] =
        [("download", "JobCreated", 2), ("transcribe", "ChunkScheduled", 1), ("notify", "JobCompleted", 1)].map(
            |(step, event, version)| (format!("relay {event}"), format!("{step} ytcaption.job.{event}.v{version}")),
        );
    let request = "POST /api/v1/transcriptions";
    let steps = [request, &download.0, &download.1, &transcribe.0, &transcribe.1, &notify.0, &notify.1];
    let spans = collector.wait_for(TRACE, &steps).await;
    let ids: HashSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    for span in &spans {
        let known = if span.name == request { span.parent == CLIENT_SPAN } else { ids.contains(&*span.parent) };
        assert!(known, "{span:?} has no parent in the trace");
    }
    // Each step follows from the one before it.
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    for pair in steps.windows(2) {
        assert_eq!(named(pair[1]).parent, named(pair[0]).id, "{} follows from {}", pair[1], pair[0]);
    }
    let notified = named(&notify.1);
    assert_eq!(webhook_traceparent, format!("00-{TRACE}-{}-01", notified.id), "the webhook continues the trace");
}

fn log_lines_of_every_step(log: &str, id: &str) {
    // The same file has the text that `up` prints for people; only the log is JSON.
    let lines = log.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_job: Vec<&Value> = lines.iter().filter(|line| line["job_id"] == id).collect();
    assert!(of_job.iter().all(|line| line["trace_id"] == TRACE), "{of_job:#?}");
    assert!(of_job.iter().any(|line| line["message"] == "job accepted"), "{of_job:#?}");
    for step in ["download", "transcribe", "notify"] {
        let ended = |line: &&&Value| line["fields"]["step"] == step && line["level"] == "INFO";
        assert!(of_job.iter().any(|line| ended(&line)), "{step} has not logged the end of its work: {of_job:#?}");
    }
}

/// The value of a metric with exactly these labels.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in:\n{metrics}")).parse().unwrap()
}

async fn metrics(client: &Client) {
    let text = client.get("/metrics").await.text().await.unwrap();
    let value = |series: &str| value(&text, series);
    let submit = r#"service="api",endpoint="/api/v1/transcriptions""#;
    assert!((value(&format!("http_requests_total{{{submit},status=\"202\"}}")) - 1.0).abs() < f64::EPSILON);
    let show = r#"service="api",endpoint="/api/v1/transcriptions/{id}",status="200""#;
    assert!(value(&format!("http_requests_total{{{show}}}")) >= 1.0);
    let took = value(&format!("http_request_duration_seconds_sum{{{submit}}}"));
    assert!(took > 0.0 && took < 10.0, "{took}");
    let took = value(r#"job_processing_duration_seconds_sum{outcome="completed"}"#);
    assert!(took > 0.1 && took < 90.0, "{took}");
    assert!((value(r#"job_processing_duration_seconds_count{outcome="completed"}"#) - 1.0).abs() < f64::EPSILON);
    assert!(!text.contains("job_processing_duration_seconds_sum{step"), "a step is not a job: a sum would count twice");
    assert!(value(r#"step_duration_seconds_count{step="transcribe"}"#) >= 1.0);
    for phase in ["audio", "speech", "features", "encoder", "decoder"] {
        assert!(value(&format!("transcription_phase_seconds_sum{{phase=\"{phase}\"}}")) > 0.0, "{phase}");
    }
    for queue in ["download-normal", "transcribe-normal", "notify"] {
        let depth = value(&format!("queue_depth{{queue=\"{queue}\"}}"));
        assert!((0.0..=2.0).contains(&depth), "{queue}: {depth}");
    }
    // No dependency failed, so every breaker is closed.
    for breaker in
        [r#"service="download",dependency="media_host""#, r#"service="notify",dependency="webhook_receiver""#]
    {
        assert!(value(&format!("circuit_breaker_state{{{breaker}}}")).abs() < f64::EPSILON);
    }
    for series in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(!series.contains("127.0.0.1"), "a label with unbounded values: {series}");
    }
}
