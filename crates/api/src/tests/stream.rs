//! The stream as it goes over the wire, parsed by hand after the HTML standard.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, Method, StatusCode};
use futures::StreamExt as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tower::ServiceExt as _;
use ytcaption_domain::JobId;
use ytcaption_domain::Span;
use ytcaption_domain::job::{Audio, Failure, JobCommand};

use super::{Api, COLLECTION, EVENTUALLY_TIMEOUT, MAX_STREAMS, connection_limits, eventually, request, segment};

/// An event as a client understands it.
#[derive(Debug, Clone, PartialEq)]
struct Received {
    id: String,
    event: String,
    data: Value,
}

/// An open stream.
struct Client {
    status: StatusCode,
    headers: HeaderMap,
    body: BodyDataStream,
    unread: String,
}

impl Client {
    async fn connect(api: &Api, job: JobId, last_event_id: Option<&str>) -> Self {
        let headers: Vec<_> = last_event_id.map(|id| ("last-event-id", id)).into_iter().collect();
        let request = request(Method::GET, &format!("{COLLECTION}/{job}/stream"), &headers, Body::empty());
        let response = api.router.clone().oneshot(request).await.expect("the router always answers");
        let (parts, body) = response.into_parts();
        let body = body.into_data_stream();
        Self { status: parts.status, headers: parts.headers, body, unread: String::new() }
    }

    async fn connect_when_free(api: &Api, job: JobId) -> Self {
        loop {
            let client = Self::connect(api, job, None).await;
            if client.status == StatusCode::OK {
                return client;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The next event; none at the end. Comments and `retry` do not count as events.
    async fn next(&mut self) -> Option<Received> {
        loop {
            while let Some((block, rest)) = self.unread.split_once("\n\n") {
                let field = |name: &str| {
                    let lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    lines.collect::<Vec<_>>().join("\n")
                };
                let (id, event, data) = (field("id"), field("event"), field("data"));
                self.unread = rest.to_owned();
                if !data.is_empty() {
                    let data = serde_json::from_str(&data).expect("JSON");
                    return Some(Received { id, event, data });
                }
            }
            let piece = timeout(EVENTUALLY_TIMEOUT, self.body.next()).await.expect("news or an end")?;
            let piece = piece.expect("the body does not break");
            self.unread.push_str(std::str::from_utf8(&piece).expect("whole characters"));
        }
    }

    async fn rest(mut self) -> Vec<Received> {
        let mut received = vec![];
        while let Some(next) = self.next().await {
            received.push(next);
        }
        received
    }
}

const CHUNKS: u32 = 5;

impl Api {
    /// A job whose media is planned into [`CHUNKS`], each of them begun.
    async fn begun(&self) -> JobId {
        let job = self.submitted().await;
        self.work(job, JobCommand::StartDownload { worker: "w".into() }).await;
        self.work(job, JobCommand::ReportDownloadProgress { attempt: 1, percent: 40 }).await;
        let duration_ms = u64::from(CHUNKS) * 10_000;
        let audio = Audio { key: "a".into(), bytes: 1, sha256: "0".repeat(64), duration_ms };
        let span = |chunk| Span { start_ms: chunk * 10_000, end_ms: (chunk + 1) * 10_000 };
        let chunks = (0..u64::from(CHUNKS)).map(span).collect();
        self.work(job, JobCommand::RecordAudio { attempt: 1, audio, title: Some("A talk".into()), chunks }).await;
        for chunk in 0..CHUNKS {
            self.work(job, JobCommand::StartChunk { chunk, worker: "w".into(), model: "demo".into() }).await;
        }
        job
    }

    async fn transcribed(&self, job: JobId, chunk: u32) {
        let start_ms = u64::from(chunk) * 10_000;
        let segments = vec![segment(start_ms, start_ms + 900, &format!("Words of {chunk} –\n\nid: 7\rمرحبا 🎈"))];
        let command = JobCommand::RecordChunk { chunk, attempt: 1, language: "en".into(), segments };
        self.work(job, command).await;
    }
}

/// The chunks whose text was received, in the order of arrival.
fn chunks(received: &[Received]) -> Vec<u64> {
    received
        .iter()
        .filter(|received| received.event == "captions")
        .filter_map(|received| received.data["chunk"].as_u64())
        .collect()
}

#[tokio::test]
async fn whatever_order_chunks_end_in_the_text_comes_in_its_own_and_every_break_is_resumed() {
    let api = Api::new().await;
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 3, 1], [1, 4, 0, 2, 3]] {
        let job = api.begun().await;
        for chunk in order {
            api.transcribed(job, chunk).await;
        }
        let whole = Client::connect(&api, job, None).await.rest().await;
        assert_eq!(chunks(&whole), [0, 1, 2, 3, 4], "{order:?}");
        assert_eq!(whole[0].data["status"], "pending");
        let text = whole[4..]
            .iter()
            .find(|received| received.event == "captions")
            .map(|received| &received.data["segments"][0]["text"]);
        assert_eq!(text, Some(&Value::from("Words of 0 –\n\nid: 7\rمرحبا 🎈")), "nothing in a text is taken for SSE");
        let last = whole.last().expect("an end");
        assert_eq!((last.event.as_str(), &last.data["segments"]), ("completed", &Value::from(5)));
        for (seen, cut) in whole.iter().enumerate() {
            let again = Client::connect(&api, job, Some(&cut.id)).await;
            let over = seen + 1 == whole.len();
            assert_eq!(again.status, if over { StatusCode::NO_CONTENT } else { StatusCode::OK });
            assert_eq!(again.rest().await, whole[seen + 1..], "cut after {cut:?} of {order:?}");
        }
    }
}

#[tokio::test]
async fn captions_come_while_the_job_runs_and_the_stream_ends_with_it() {
    let api = Api::new().await;
    let job = api.begun().await;
    let mut client = Client::connect(&api, job, None).await;
    assert_eq!(client.headers["content-type"], "text/event-stream");
    assert_eq!(client.headers["cache-control"], "no-store");
    assert_eq!(client.headers["x-accel-buffering"], "no");
    let mut before = vec![];
    while before.last().is_none_or(|received: &Received| received.data["status"] != "transcribing") {
        before.push(client.next().await.expect("it goes on"));
    }
    assert_eq!(
        before.iter().map(|received| received.event.as_str()).collect::<Vec<_>>(),
        ["status", "status", "progress", "status"]
    );
    api.transcribed(job, 1).await;
    assert_eq!(
        client.next().await.map(|received| received.event),
        Some("progress".into()),
        "its text waits for the first"
    );
    api.transcribed(job, 0).await;
    let mut seen = vec![];
    while chunks(&seen).len() < 2 {
        seen.push(client.next().await.expect("it goes on"));
    }
    assert_eq!(chunks(&seen), [0, 1]);
    api.work(job, JobCommand::Cancel { reason: Some("enough".into()) }).await;
    let last = client.rest().await;
    assert_eq!(last.len(), 1);
    assert_eq!((last[0].event.as_str(), &last[0].data["reason"]), ("cancelled", &Value::from("enough")));
}

#[tokio::test]
async fn a_failure_and_a_retry_are_events() {
    let api = Api::new().await;
    let job = api.submitted().await;
    for (attempt, retry_in_ms) in [(1, Some(10)), (2, None)] {
        api.work(job, JobCommand::StartDownload { worker: "w".into() }).await;
        let failure = Failure { code: "http_5xx".into(), message: "It answered 503.".into() };
        api.work(job, JobCommand::RecordDownloadFailure { attempt, failure, retry_in_ms }).await;
    }
    let received = Client::connect(&api, job, None).await.rest().await;
    let names: Vec<_> = received.iter().map(|received| received.event.as_str()).collect();
    assert_eq!(names, ["status", "status", "attempt_failed", "status", "failed"]);
    assert_eq!(received[2].data["retry_in_ms"], 10);
    assert_eq!(received[4].data["code"], "http_5xx");
}

#[tokio::test]
async fn a_place_that_the_stream_never_had_is_refused() {
    let api = Api::new().await;
    let job = api.begun().await;
    api.transcribed(job, 1).await;
    let path = format!("{COLLECTION}/{job}/stream");
    for place in ["x", "1", "-1.0", "1000.0", "3.1", "99999999999999999999.0", "18446744073709551615.4294967295"] {
        let problem = api.get_with(&path, &[("last-event-id", place)]).await.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["parameter"], "Last-Event-ID", "{place}");
    }
    api.get(&format!("{COLLECTION}/0197a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f/stream")).await.problem(404, "job-not-found");
    api.get(&format!("{COLLECTION}/x/stream")).await.problem(400, "invalid-parameter");
}

#[tokio::test]
async fn the_number_of_open_streams_is_limited_and_a_client_that_goes_frees_its_permit() {
    let api = Api::new().await;
    let job = api.begun().await;
    let mut open = vec![];
    for _ in 0..MAX_STREAMS {
        let mut client = Client::connect(&api, job, None).await;
        while client.next().await.expect("it goes on").data["status"] != "transcribing" {}
        open.push(client);
    }
    let path = format!("{COLLECTION}/{job}/stream");
    let refused = api.get(&path).await;
    refused.problem(503, "too-many-streams");
    assert_eq!(refused.header("retry-after"), "2");
    open.pop();
    eventually("a permit is free", async || Client::connect(&api, job, None).await.status == StatusCode::OK).await;
}

#[tokio::test]
async fn clients_that_read_nothing_are_disconnected_and_their_permits_are_free() {
    let api = Api::new().await;
    let job = api.begun().await;
    let mut idle = vec![];
    for _ in 0..MAX_STREAMS {
        idle.push(Client::connect(&api, job, None).await);
    }
    // As many as there are permits: the client that is disconnected first need not be the first that came.
    let mut admitted = vec![];
    while admitted.len() < MAX_STREAMS {
        let another = timeout(EVENTUALLY_TIMEOUT, Client::connect_when_free(&api, job)).await;
        admitted.push(another.expect("a permit becomes free"));
    }
    let mut seen = 0;
    while let Some(received) = idle[0].next().await {
        seen += 1;
        assert_eq!(received.id, format!("{seen}.0"), "what was sent was in order, and the body ends properly");
    }
    assert!(seen < 4, "{seen} events for a client that took none");
}

#[tokio::test]
async fn the_server_stops_although_streams_are_open() {
    let api = Api::new().await;
    let job = api.begun().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let (router, stop) = (api.router.clone(), api.stop.clone().cancelled_owned());
    let server = tokio::spawn(async move { crate::serve(listener, router, &connection_limits(), stop).await });
    let mut connection = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let head = format!("GET {COLLECTION}/{job}/stream HTTP/1.1\r\nhost: localhost\r\n\r\n");
    connection.write_all(head.as_bytes()).await.expect("it reads");
    let mut answer = vec![];
    while !String::from_utf8_lossy(&answer).contains("\"status\":\"transcribing\"") {
        assert_ne!(connection.read_buf(&mut answer).await.expect("it answers"), 0, "it ends too early");
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
    api.stop.cancel();
    let ended = timeout(Duration::from_secs(10), server).await.expect("it stops within its grace");
    ended.expect("the server does not panic");
    let mut rest = String::new();
    connection.read_to_string(&mut rest).await.expect("the connection is closed properly");
    assert!(rest.ends_with("0\r\n\r\n"), "{rest}");
}
