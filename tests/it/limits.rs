//! What keeps the API usable and private as long as it has no sign-in: clients that are slow, that want everything, or
//! that a web page has sent.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use reqwest::header::{HOST, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::client::{Client, JOBS, PATIENCE, problem};
use crate::held::Held;
use crate::system::System;

/// A request head must be there after so long.
const HEADER_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_STREAMS_PER_CLIENT: usize = 2;
const POLL: Duration = Duration::from_millis(100);

#[tokio::test]
async fn slow_greedy_and_misled_clients_harm_nobody() {
    let system = System::with(&[
        ("YTCAPTION_API__HEADER_TIMEOUT_SECONDS", &HEADER_TIMEOUT.as_secs().to_string()),
        ("YTCAPTION_API__MAX_STREAMS_PER_CLIENT", &MAX_STREAMS_PER_CLIENT.to_string()),
        ("YTCAPTION_API__ALLOWED_HOSTS", "captions.example.org"),
    ])
    .await;
    let (held, client) = (Held::start().await, Client::of(&system));
    a_name_that_is_not_ours_is_refused(&client).await;
    streams_are(&client, 0).await;

    let job = client.submit_url(&held.recording("a")).await;
    client.downloading(&job).await;
    let open = each_client_has_so_many_streams(&system, &client, &job).await;
    tokio::join!(a_slow_head_is_not_waited_for(&system), a_slow_body_is(&system));
    held.let_go();
    for stream in open {
        let told = timeout(PATIENCE, stream.text()).await.expect("the job ends").expect("no stream was cut");
        assert!(told.contains("event: completed"), "{told}");
    }
    streams_are(&client, 0).await;
}

/// DNS rebinding: the page of a site whose name leads here asks under that name.
async fn a_name_that_is_not_ours_is_refused(client: &Client) {
    let ask = async |method: Method, path: &str, host: &str| {
        client.request(method, path).header(HOST, host).json(&json!({})).send().await.unwrap()
    };
    for host in ["evil.example:8000", "localhost.evil.example", "no name at all"] {
        for (method, path) in
            [(Method::GET, JOBS), (Method::POST, JOBS), (Method::GET, "/metrics"), (Method::GET, "/docs/")]
        {
            let refused = problem(ask(method, path, host).await, 421, "foreign-host").await;
            let detail = refused["detail"].as_str().unwrap();
            assert!(detail.contains(host) && detail.contains("api.allowed_hosts"), "{detail}");
        }
    }
    for host in ["localhost:1234", "LOCALHOST", "127.0.0.1", "[::1]:8000", "Captions.Example.org:443"] {
        assert_eq!(ask(Method::GET, JOBS, host).await.status(), StatusCode::OK, "{host}");
    }
}

/// Returns those that are open.
async fn each_client_has_so_many_streams(system: &System, client: &Client, job: &str) -> Vec<Response> {
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
    // What a header says of another address anybody can write.
    let forged = client.request(Method::GET, &path).header("X-Forwarded-For", "192.0.2.7");
    let forged = forged.header("Forwarded", "for=192.0.2.7").send().await.unwrap();
    assert_eq!(forged.status(), StatusCode::TOO_MANY_REQUESTS);

    let another = reqwest::Client::builder().local_address(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))).build().unwrap();
    let another = another.get(system.url(&path)).send().await.unwrap();
    assert_eq!(another.status(), StatusCode::OK, "another client has its own");
    streams_are(client, MAX_STREAMS_PER_CLIENT + 1).await;

    drop(open.pop());
    streams_are(client, MAX_STREAMS_PER_CLIENT).await;
    open.push(client.get(&path).await);
    assert_eq!(open[1].status(), StatusCode::OK, "who closes one may open one");
    open.push(another);
    open
}

/// Waits until the metric says that so many streams are open.
async fn streams_are(client: &Client, wanted: usize) {
    let deadline = Instant::now() + PATIENCE;
    let wanted = format!("sse_streams_open {wanted}");
    loop {
        let metrics = client.get("/metrics").await.text().await.unwrap();
        if metrics.lines().any(|line| line == wanted) {
            return;
        }
        assert!(Instant::now() < deadline, "not {wanted}: {metrics}");
        sleep(POLL).await;
    }
}

async fn connect(system: &System) -> TcpStream {
    let address = system.url("").strip_prefix("http://").unwrap().to_owned();
    TcpStream::connect(address).await.unwrap()
}

/// Sends a byte now and then until the server has had enough; returns what it said.
async fn drip(mut connection: TcpStream, byte: &[u8]) -> String {
    let mut answer = vec![];
    let cut = async {
        loop {
            tokio::select! {
                read = connection.read_buf(&mut answer) => if read.unwrap_or(0) == 0 { return },
                () = sleep(POLL) => if connection.write_all(byte).await.is_err() { return },
            }
        }
    };
    timeout(PATIENCE, cut).await.expect("the server closes the connection");
    String::from_utf8(answer).unwrap()
}

async fn a_slow_head_is_not_waited_for(system: &System) {
    let begun = async |head: &str| {
        let mut connection = connect(system).await;
        connection.write_all(head.as_bytes()).await.unwrap();
        connection
    };
    let slow = begun("GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await;
    let silent = begun("").await;
    let idle = begun("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let (slow, silent, idle) = tokio::join!(drip(slow, b"a"), drip(silent, b""), drip(idle, b""));
    assert_eq!((slow.as_str(), silent.as_str()), ("", ""), "nothing was asked, so nothing is answered");
    assert!(idle.starts_with("HTTP/1.1 200 OK"), "{idle}");
}

async fn a_slow_body_is(system: &System) {
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
    let mut answer = String::new();
    timeout(PATIENCE, connection.read_to_string(&mut answer)).await.expect("an answer").unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 Accepted"), "{answer}");
    let (_, receipt) = answer.split_once("\r\n\r\n").unwrap();
    let receipt: Value = serde_json::from_str(receipt).unwrap();
    assert!(receipt["job_id"].is_string(), "{receipt}");
}
