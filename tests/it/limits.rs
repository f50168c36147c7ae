//! Limits that keep the API available and private while it has no authentication: against slow clients, clients that open
//! many streams, and web pages that send requests in a user's browser (DNS rebinding).

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use reqwest::header::{HOST, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::client::{Client, JOB_TIMEOUT, JOBS, problem};
use crate::stalled_site::StalledSite;
use crate::system::System;

/// How long a client may take to send the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_STREAMS_PER_CLIENT: usize = 2;
const POLL: Duration = Duration::from_millis(100);

#[tokio::test]
async fn slow_greedy_and_rebound_clients_do_not_affect_others() {
    let system = System::start_with(&[
        ("YTCAPTION_API__HEADER_TIMEOUT_SECONDS", &HEADER_TIMEOUT.as_secs().to_string()),
        ("YTCAPTION_API__MAX_STREAMS_PER_CLIENT", &MAX_STREAMS_PER_CLIENT.to_string()),
        ("YTCAPTION_API__ALLOWED_HOSTS", "captions.example.org"),
    ])
    .await;
    let (stalled, client) = (StalledSite::start().await, Client::for_system(&system));
    a_foreign_host_name_is_rejected(&client).await;
    wait_for_open_streams(&client, 0).await;

    let job = client.submit_url(&stalled.video_url("a")).await;
    client.downloading(&job).await;
    let open = streams_of_each_client_are_limited(&system, &client, &job).await;
    tokio::join!(a_slow_head_times_out(&system), a_slow_body_is_accepted(&system));
    stalled.release();
    for stream in open {
        let text =
            timeout(JOB_TIMEOUT, stream.text()).await.expect("the job ends").expect("no stream was closed early");
        assert!(text.contains("event: completed"), "{text}");
    }
    wait_for_open_streams(&client, 0).await;
}

/// DNS rebinding: a page of a site whose name resolves to this machine sends its requests under that name.
async fn a_foreign_host_name_is_rejected(client: &Client) {
    let send = async |method: Method, path: &str, host: &str| {
        client.request(method, path).header(HOST, host).json(&json!({})).send().await.unwrap()
    };
    for host in ["evil.example:8000", "localhost.evil.example", "no name at all"] {
        for (method, path) in
            [(Method::GET, JOBS), (Method::POST, JOBS), (Method::GET, "/metrics"), (Method::GET, "/docs/")]
        {
            let refused = problem(send(method, path, host).await, 421, "host-not-allowed").await;
            let detail = refused["detail"].as_str().unwrap();
            assert!(detail.contains(host) && detail.contains("api.allowed_hosts"), "{detail}");
        }
    }
    for host in ["localhost:1234", "LOCALHOST", "127.0.0.1", "[::1]:8000", "Captions.Example.org:443"] {
        assert_eq!(send(Method::GET, JOBS, host).await.status(), StatusCode::OK, "{host}");
    }
}

/// Returns the open streams.
async fn streams_of_each_client_are_limited(system: &System, client: &Client, job: &str) -> Vec<Response> {
    let path = format!("{JOBS}/{job}/stream");
    let mut open = vec![];
    for _ in 0..MAX_STREAMS_PER_CLIENT {
        open.push(client.get(&path).await);
    }
    assert!(open.iter().all(|stream| stream.status() == StatusCode::OK));
    let refused = client.get(&path).await;
    assert_eq!(refused.headers()[RETRY_AFTER], "2");
    let refused = problem(refused, 429, "too-many-streams-of-client").await;
    assert!(refused["detail"].as_str().unwrap().contains("status_url"), "{refused}");
    // A client can forge these headers, so they must not count.
    let forged = client.request(Method::GET, &path).header("X-Forwarded-For", "192.0.2.7");
    let forged = forged.header("Forwarded", "for=192.0.2.7").send().await.unwrap();
    assert_eq!(forged.status(), StatusCode::TOO_MANY_REQUESTS);

    let another = reqwest::Client::builder().local_address(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))).build().unwrap();
    let another = another.get(system.url(&path)).send().await.unwrap();
    assert_eq!(another.status(), StatusCode::OK, "another client has its own limit");
    wait_for_open_streams(client, MAX_STREAMS_PER_CLIENT + 1).await;

    drop(open.pop());
    wait_for_open_streams(client, MAX_STREAMS_PER_CLIENT).await;
    open.push(client.get(&path).await);
    assert_eq!(open[1].status(), StatusCode::OK, "a client that closes a stream may open another");
    open.push(another);
    open
}

/// Waits until the metric shows this number of open streams.
async fn wait_for_open_streams(client: &Client, wanted: usize) {
    let deadline = Instant::now() + JOB_TIMEOUT;
    let wanted = format!("sse_streams_open {wanted}");
    loop {
        let metrics = client.get("/metrics").await.text().await.unwrap();
        if metrics.lines().any(|line| line == wanted) {
            return;
        }
        assert!(Instant::now() < deadline, "timed out waiting for {wanted}: {metrics}");
        sleep(POLL).await;
    }
}

async fn connect(system: &System) -> TcpStream {
    let address = system.url("").strip_prefix("http://").unwrap().to_owned();
    TcpStream::connect(address).await.unwrap()
}

/// Sends a byte at a time until the server closes the connection; returns what the server sent.
async fn send_slowly(mut connection: TcpStream, byte: &[u8]) -> String {
    let mut response = vec![];
    let closed = async {
        loop {
            tokio::select! {
                read = connection.read_buf(&mut response) => if read.unwrap_or(0) == 0 { return },
                () = sleep(POLL) => if connection.write_all(byte).await.is_err() { return },
            }
        }
    };
    timeout(JOB_TIMEOUT, closed).await.expect("the server closes the connection");
    String::from_utf8(response).unwrap()
}

async fn a_slow_head_times_out(system: &System) {
    let begun = async |head: &str| {
        let mut connection = connect(system).await;
        connection.write_all(head.as_bytes()).await.unwrap();
        connection
    };
    let slow = begun("GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await;
    let silent = begun("").await;
    let idle = begun("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let (slow, silent, idle) = tokio::join!(send_slowly(slow, b"a"), send_slowly(silent, b""), send_slowly(idle, b""));
    assert_eq!((slow.as_str(), silent.as_str()), ("", ""), "an incomplete request gets no response");
    assert!(idle.starts_with("HTTP/1.1 200 OK"), "{idle}");
}

async fn a_slow_body_is_accepted(system: &System) {
    let mut connection = connect(system).await;
    let body = json!({ "url": "https://example.org/talk.mp4" }).to_string();
    let head = format!(
        "POST {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let (first, second) = body.split_at(body.len() / 2);
    for part in [first, second] {
        sleep(HEADER_TIMEOUT * 2).await;
        connection.write_all(part.as_bytes()).await.unwrap();
    }
    let mut response = String::new();
    timeout(JOB_TIMEOUT, connection.read_to_string(&mut response)).await.expect("a response").unwrap();
    assert!(response.starts_with("HTTP/1.1 202 Accepted"), "{response}");
    let (_, accepted) = response.split_once("\r\n\r\n").unwrap();
    let accepted: Value = serde_json::from_str(accepted).unwrap();
    assert!(accepted["job_id"].is_string(), "{accepted}");
}
