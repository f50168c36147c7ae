use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as OtlpValue;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::TcpListenerStream;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber as _, debug_span, error, field, info, info_span, warn};
use tracing_subscriber::fmt::MakeWriter;

use super::{TelemetryGuard, subscriber};
use crate::context::{set_parent, traceparent_of};
use crate::error::TelemetryError;
use crate::settings::{LogFormat, LogSettings};
use crate::traces;

const INCOMING: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Collects what is written, in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Memory {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

impl Memory {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no writer panics").clone()).expect("UTF-8")
    }

    fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|l| serde_json::from_str(l).expect("each line is JSON")).collect()
    }
}

fn settings(format: LogFormat, level: &str) -> LogSettings {
    LogSettings { format, level: level.to_owned() }
}

fn logged(settings: &LogSettings, work: impl FnOnce()) -> Memory {
    let memory = Memory::default();
    let provider = SdkTracerProvider::builder().build();
    let subscriber = subscriber(settings, "worker-download", &provider, memory.clone()).expect("valid settings");
    tracing::subscriber::with_default(subscriber, work);
    memory
}

#[test]
fn details_that_are_not_logged_are_not_enabled() {
    for (filter, most_detailed) in [("info", Level::INFO), ("warn,sqlx=debug", Level::DEBUG), ("warn", Level::INFO)] {
        let provider = SdkTracerProvider::builder().build();
        let all = subscriber(&settings(LogFormat::Json, filter), "up", &provider, Memory::default());
        let hint = all.expect("valid settings").max_level_hint();
        assert_eq!(hint, Some(LevelFilter::from_level(most_detailed)), "{filter}");
    }
}

#[test]
fn a_line_shows_its_job_and_its_trace_at_the_top() {
    let lines = logged(&settings(LogFormat::Json, "info"), || {
        let step = info_span!("step", job_id = "job-1", attempt = 2, size = field::Empty);
        assert!(set_parent(&step, INCOMING));
        let inside = step.enter();
        step.record("size", 7_u64);
        debug_span!("detail", hidden = true).in_scope(|| {
            info!(bytes = 5_u64, ratio = 0.5, ok = true, url = %"http://x", attempt = 3, "downloaded \"it\"\n");
        });
        drop(inside);
        info!("outside");
    })
    .lines();
    let [inside, outside] = &lines[..] else { panic!("two lines: {lines:?}") };
    for (name, value) in [
        ("level", "INFO"),
        ("role", "worker-download"),
        ("message", "downloaded \"it\"\n"),
        ("job_id", "job-1"),
        ("trace_id", "0af7651916cd43dd8448eb211c80319c"),
        ("span", "step"),
        ("target", "ytcaption_telemetry::setup::tests"),
    ] {
        assert_eq!(inside[name], value, "{name} in {inside}");
    }
    let fields = serde_json::json!(
        {"bytes": 5, "ratio": 0.5, "ok": true, "url": "http://x", "attempt": 3, "size": 7}
    );
    assert_eq!(inside["fields"], fields, "the event's fields win, spans below info are left out");
    assert!(inside["timestamp"].as_str().is_some_and(|t| t.ends_with('Z') && t.len() == 27));
    assert_eq!(outside["message"], "outside");
    for name in ["job_id", "trace_id", "span_id", "span", "fields"] {
        assert!(outside.get(name).is_none(), "{name} in {outside}");
    }
}

#[test]
fn a_quiet_log_still_names_job_and_trace() {
    let lines = logged(&settings(LogFormat::Json, "warn,ytcaption_telemetry::noisy=error"), || {
        info_span!("step", job_id = "job-1").in_scope(|| {
            info!("not shown");
            warn!(target: "ytcaption_telemetry::noisy", "not shown");
            error!(job_id = "job-2", "shown");
            warn!("shown");
        });
    })
    .lines();
    let [of_event, of_span] = &lines[..] else { panic!("two lines: {lines:?}") };
    assert_eq!((&of_event["job_id"], &of_span["job_id"]), (&"job-2".into(), &"job-1".into()));
    assert!(of_span["trace_id"].as_str().is_some_and(|id| id.len() == 32));
    assert_eq!(of_span["trace_id"], of_event["trace_id"]);
}

#[test]
fn text_is_for_people() {
    let text = logged(&settings(LogFormat::Text, "info"), || {
        info_span!("step", job_id = "job-1").in_scope(|| info!("downloaded"));
    })
    .text();
    assert!(text.contains("downloaded") && text.contains("job-1"), "{text}");
    assert!(serde_json::from_str::<Value>(&text).is_err(), "{text}");
}

#[test]
fn a_bad_filter_is_named() {
    let provider = SdkTracerProvider::builder().build();
    let refused = subscriber(&settings(LogFormat::Json, "info,=="), "test", &provider, io::sink);
    assert!(matches!(refused.err(), Some(TelemetryError::Filter { filter, .. }) if filter == "info,=="));
}

#[test]
fn settings_read_from_toml_and_refuse_misspellings() {
    let read = |text| toml::from_str::<LogSettings>(text);
    let level = LogSettings::default().level;
    assert_eq!(read("").ok(), Some(settings(LogFormat::Auto, &level)));
    assert_eq!(read("format = \"text\"").ok(), Some(settings(LogFormat::Text, &level)));
    assert!(read("fromat = \"text\"").is_err_and(|e| e.to_string().contains("fromat")));
}

/// An OTLP collector that hands every request to the test.
struct Collector(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        self.0.send(request.into_inner()).expect("the test waits for it");
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test]
async fn spans_reach_a_collector_before_shutdown_returns() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    let (sender, mut requests) = mpsc::unbounded_channel();
    let collector = tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(Collector(sender)))
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );
    let settings = LogSettings::default();
    let provider = traces::provider(Some(&endpoint), "worker-download").expect("provider");
    let subscriber = subscriber(&settings, "test", &provider, io::sink).expect("valid settings");
    let guard = TelemetryGuard::new(provider);
    let mut expected = None;
    tracing::subscriber::with_default(subscriber, || {
        let span = info_span!("step", job_id = "job-1");
        assert!(set_parent(&span, INCOMING));
        span.in_scope(|| info!("a note"));
        expected = traceparent_of(&span);
    });
    guard.shutdown().await;
    collector.abort();

    let request = requests.try_recv().expect("exported before shutdown returned");
    let of_resource = &request.resource_spans[0];
    let attributes = &of_resource.resource.as_ref().expect("a resource").attributes;
    let attribute = |key: &str| {
        let found = attributes.iter().find(|a| a.key == key)?;
        match found.value.as_ref()?.value.as_ref()? {
            OtlpValue::StringValue(text) => Some(text.as_str()),
            _ => None,
        }
    };
    assert_eq!(attribute("service.name"), Some("ytcaption"));
    assert_eq!(attribute("ytcaption.role"), Some("worker-download"));
    let span = &of_resource.scope_spans[0].spans[0];
    let number = |bytes: &[u8]| bytes.iter().fold(0_u128, |n, b| (n << 8) | u128::from(*b));
    let (trace, id) = (number(&span.trace_id), number(&span.span_id));
    assert_eq!(Some(format!("00-{trace:032x}-{id:016x}-01")), expected);
    assert_eq!(number(&span.parent_span_id), 0xb7ad_6b71_6920_3331);
    assert!(span.attributes.iter().any(|a| a.key == "job_id"));
    assert_eq!(span.events[0].name, "a note");
}

#[tokio::test]
async fn a_collector_that_is_away_delays_the_end_by_seconds_only() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let settings = LogSettings::default();
    let provider = traces::provider(Some(&endpoint), "test").expect("provider");
    let subscriber = subscriber(&settings, "test", &provider, io::sink).expect("valid settings");
    let guard = TelemetryGuard::new(provider);
    tracing::subscriber::with_default(subscriber, || drop(info_span!("step").entered()));
    tokio::time::timeout(Duration::from_secs(8), guard.shutdown()).await.expect("it ends in time");
}

#[test]
fn exporting_without_a_runtime_is_refused() {
    assert!(matches!(traces::provider(Some("http://[::1]:1"), "test"), Err(TelemetryError::NoRuntime)));
}
