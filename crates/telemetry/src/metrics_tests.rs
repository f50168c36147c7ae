use std::time::Duration;

use super::{Circuit, PrometheusHandle};

/// The text recorded by `record` alone.
fn rendered(record: impl FnOnce()) -> String {
    let recorder = super::builder().expect("the buckets are not empty").build_recorder();
    let handle = PrometheusHandle(recorder.handle());
    metrics::with_local_recorder(&recorder, || {
        super::describe();
        record();
    });
    handle.render()
}

#[test]
fn names_and_labels_are_those_that_dashboards_expect() {
    let text = rendered(|| {
        super::http_request("api", "/api/v1/transcriptions", 202, Duration::from_millis(7));
        super::job_ended("completed", Duration::from_secs(42));
        super::queue_depth("download", 3);
        super::circuit_breaker("download", "yt-dlp", Circuit::HalfOpen);
        super::event_appended("AudioDownloaded");
        super::relay_published(5);
        super::relay_lag(2);
        super::feed_horizon_age(Duration::from_millis(2500));
        super::relay_refilled(4);
        super::projection_lag("jobs", 1);
        super::event_parked("jobs");
        super::parked_events("jobs", 4);
        super::seal_lag(7, Duration::from_millis(1500));
        super::stream_opened();
        super::streams_begin();
        super::stream_opened();
        super::stream_closed();
        super::step_attempt("transcribe", "retry");
        super::step_ended("transcribe", Duration::from_secs(3));
    });
    for line in [
        r#"http_requests_total{service="api",endpoint="/api/v1/transcriptions",status="202"} 1"#,
        r#"http_request_duration_seconds_bucket{service="api",endpoint="/api/v1/transcriptions",le="0.005"} 0"#,
        r#"http_request_duration_seconds_bucket{service="api",endpoint="/api/v1/transcriptions",le="0.01"} 1"#,
        r#"job_processing_duration_seconds_bucket{outcome="completed",le="60"} 1"#,
        r#"job_processing_duration_seconds_sum{outcome="completed"} 42"#,
        r#"queue_depth{queue="download"} 3"#,
        r#"circuit_breaker_state{service="download",dependency="yt-dlp"} 1"#,
        r#"events_appended_total{event_type="AudioDownloaded"} 1"#,
        "relay_published_total 5",
        "relay_lag_events 2",
        "feed_horizon_age_seconds 2.5",
        "relay_refilled_total 4",
        r#"projection_lag_events{projection="jobs"} 1"#,
        r#"projection_parked_events_total{projection="jobs"} 1"#,
        r#"projection_parked_events{projection="jobs"} 4"#,
        "seal_lag_events 7",
        "seal_lag_seconds 1.5",
        "sse_streams_open 1",
        r#"step_attempts_total{step="transcribe",outcome="retry"} 1"#,
        r#"step_duration_seconds_bucket{step="transcribe",le="5"} 1"#,
        "# TYPE http_request_duration_seconds histogram",
        "# TYPE circuit_breaker_state gauge",
    ] {
        assert!(text.lines().any(|l| l == line), "no line {line}\n{text}");
    }
    assert!(text.contains("# HELP queue_depth Messages waiting"), "{text}");
}

#[test]
fn every_role_of_a_process_reads_the_same_numbers() {
    let (first, second) = (super::install(), super::install());
    super::step_attempt("shared", "done");
    for handle in [first, second] {
        let text = handle.expect("nothing else installs a recorder here").render();
        assert!(text.contains(r#"step_attempts_total{step="shared",outcome="done"} 1"#));
    }
}
