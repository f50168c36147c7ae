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

use super::{Api, COLLECTION, HEADER_TIMEOUT, MAX_STREAMS, PATIENCE, eventually, request, segment};

/// An event as a client understands it.
#[derive(Debug, Clone, PartialEq)]
struct Told {
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

    /// The next event; none at the end. Comments and `retry` are no events.
    async fn next(&mut self) -> Option<Told> {
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
                    return Some(Told { id, event, data });
                }
            }
            let piece = timeout(PATIENCE, self.body.next()).await.expect("news or an end")?;
            let piece = piece.expect("the body does not break");
            self.unread.push_str(std::str::from_utf8(&piece).expect("whole characters"));
        }
    }

    async fn rest(mut self) -> Vec<Told> {
        let mut told = vec![];
        while let Some(next) = self.next().await {
            told.push(next);
        }
        told
    }
}

const CHUNKS: u32 = 5;

impl Api {
    /// A job whose recording is planned into [`CHUNKS`], each of them begun.
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

/// The chunks whose text was told, in the order of telling.
fn chunks(told: &[Told]) -> Vec<u64> {
    told.iter().filter(|told| told.event == "captions").filter_map(|told| told.data["chunk"].as_u64()).collect()
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
        let text =
            whole[4..].iter().find(|told| told.event == "captions").map(|told| &told.data["segments"][0]["text"]);
        assert_eq!(text, Some(&Value::from("Words of 0 –\n\nid: 7\rمرحبا 🎈")), "nothing in a text is taken for SSE");
        let last = whole.last().expect("an end");
        assert_eq!((last.event.as_str(), &last.data["segments"]), ("completed", &Value::from(5)));
        for (heard, cut) in whole.iter().enumerate() {
            let again = Client::connect(&api, job, Some(&cut.id)).await;
            let over = heard + 1 == whole.len();
            assert_eq!(again.status, if over { StatusCode::NO_CONTENT } else { StatusCode::OK });
            assert_eq!(again.rest().await, whole[heard + 1..], "cut after {cut:?} of {order:?}");
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
    while before.last().is_none_or(|told: &Told| told.data["status"] != "transcribing") {
        before.push(client.next().await.expect("it goes on"));
    }
    assert_eq!(
        before.iter().map(|told| told.event.as_str()).collect::<Vec<_>>(),
        ["status", "status", "progress", "status"]
    );
    api.transcribed(job, 1).await;
    assert_eq!(client.next().await.map(|told| told.event), Some("progress".into()), "its text waits for the first");
    api.transcribed(job, 0).await;
    let mut heard = vec![];
    while chunks(&heard).len() < 2 {
        heard.push(client.next().await.expect("it goes on"));
    }
    assert_eq!(chunks(&heard), [0, 1]);
    api.work(job, JobCommand::Cancel { reason: Some("enough".into()) }).await;
    let last = client.rest().await;
    assert_eq!(last.len(), 1);
    assert_eq!((last[0].event.as_str(), &last[0].data["reason"]), ("cancelled", &Value::from("enough")));
}

#[tokio::test]
async fn a_failure_and_what_is_tried_again_are_told() {
    let api = Api::new().await;
    let job = api.submitted().await;
    for (attempt, retry_in_ms) in [(1, Some(10)), (2, None)] {
        api.work(job, JobCommand::StartDownload { worker: "w".into() }).await;
        let failure = Failure { code: "http_5xx".into(), message: "It answered 503.".into() };
        api.work(job, JobCommand::RecordDownloadFailure { attempt, failure, retry_in_ms }).await;
    }
    let told = Client::connect(&api, job, None).await.rest().await;
    let names: Vec<_> = told.iter().map(|told| told.event.as_str()).collect();
    assert_eq!(names, ["status", "status", "attempt_failed", "status", "failed"]);
    assert_eq!(told[2].data["retry_in_ms"], 10);
    assert_eq!(told[4].data["code"], "http_5xx");
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
async fn only_so_many_streams_are_open_and_a_client_that_goes_leaves_its_seat() {
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
    eventually("a seat is free", async || Client::connect(&api, job, None).await.status == StatusCode::OK).await;
}

#[tokio::test]
async fn clients_that_take_nothing_are_let_go_and_their_seats_are_free() {
    let api = Api::new().await;
    let job = api.begun().await;
    let mut idle = vec![];
    for _ in 0..MAX_STREAMS {
        idle.push(Client::connect(&api, job, None).await);
    }
    // As many as there are seats, for whoever is let go first need not be the first who came.
    let mut seated = vec![];
    while seated.len() < MAX_STREAMS {
        let another = timeout(PATIENCE, Client::connect_when_free(&api, job)).await;
        seated.push(another.expect("a seat becomes free"));
    }
    let mut heard = 0;
    while let Some(told) = idle[0].next().await {
        heard += 1;
        assert_eq!(told.id, format!("{heard}.0"), "what was sent was in order, and the body ends properly");
    }
    assert!(heard < 4, "{heard} events for a client that took none");
}

#[tokio::test]
async fn the_server_stops_although_streams_are_open() {
    let api = Api::new().await;
    let job = api.begun().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let server =
        tokio::spawn(crate::serve(listener, api.router.clone(), HEADER_TIMEOUT, api.stop.clone().cancelled_owned()));
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
