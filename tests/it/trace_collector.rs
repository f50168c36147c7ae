//! A trace collector (OTLP over gRPC), like those that operators run, that keeps the spans for a test.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::task::AbortOnDropHandle;

/// How long spans may take to arrive: they are exported in batches, every few seconds.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(20);

/// The parts of a span that the tests use; ids in hexadecimal digits, `start` in nanoseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) start: u64,
}

#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Span>>>);

/// A running collector; stopped when dropped.
pub(crate) struct Collector {
    /// The value for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub(crate) endpoint: String,
    spans: Spans,
    _running: AbortOnDropHandle<()>,
}

impl Collector {
    /// Starts a collector on loopback.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let spans = Spans::default();
        let server = tonic::transport::Server::builder().add_service(TraceServiceServer::new(spans.clone()));
        let running = tokio::spawn(async move {
            server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
        });
        Self { endpoint, spans, _running: AbortOnDropHandle::new(running) }
    }

    /// Waits until a trace has spans of all these names; returns its spans, ordered by start time.
    pub(crate) async fn wait_for(&self, trace: &str, names: &[&str]) -> Vec<Span> {
        let deadline = Instant::now() + EXPORT_TIMEOUT;
        loop {
            let mut spans: Vec<Span> = self.spans.0.lock().unwrap().clone();
            spans.retain(|span| span.trace == trace);
            spans.sort_by_key(|span| span.start);
            let missing: Vec<_> = names.iter().filter(|name| spans.iter().all(|span| span.name != **name)).collect();
            if missing.is_empty() {
                return spans;
            }
            assert!(Instant::now() < deadline, "no spans are named {missing:?}; there are {spans:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tonic::async_trait]
impl TraceService for Spans {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let exported = resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans);
        self.0.lock().unwrap().extend(exported.map(|span| Span {
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            name: span.name,
            start: span.start_time_unix_nano,
        }));
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
