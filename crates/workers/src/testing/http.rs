//! An HTTP server that answers exactly what a test wants, right or wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// Number of pieces in which a slow body is sent.
const PIECES: u32 = 50;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// What is sent back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// What the head claims as the body's length; none leaves it out.
    pub(crate) claimed_length: Option<usize>,
    /// Sends the body so slowly that it takes this long.
    pub(crate) takes: Duration,
    /// Where the client is sent instead.
    pub(crate) location: Option<String>,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self::new("text/plain", status.to_string()).with_status(status)
    }

    pub(crate) fn new(content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let claimed_length = Some(body.len());
        Self { status: 200, content_type, body, claimed_length, takes: Duration::ZERO, location: None }
    }

    pub(crate) fn redirect(location: &str) -> Self {
        Self { location: Some(location.to_owned()), ..Self::status(302) }
    }

    fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

/// The server; stopped when dropped.
pub(crate) struct HttpServer {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    _running: AbortOnDropHandle<()>,
}

impl HttpServer {
    /// Answers every request with what `answer` makes of it and of the number of requests before it.
    pub(crate) async fn start(answer: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_on("127.0.0.1", answer).await
    }

    /// The same on another of this machine's own addresses.
    pub(crate) async fn start_on(
        host: &str,
        answer: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        let running = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                tokio::spawn(async move {
                    // A client that hangs up early is part of some tests.
                    let _ = serve(connection, &seen, &*answer).await;
                });
            }
        });
        Self { url, requests, _running: AbortOnDropHandle::new(running) }
    }

    /// The requests received so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut connection: TcpStream,
    seen: &Mutex<Vec<Request>>,
    answer: &(dyn Fn(&Request, usize) -> Answer + Send + Sync),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(&mut connection);
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    let head = line.starts_with("HEAD");
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).await?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await?;
    let request = Request { path, headers, body };
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    let answer = answer(&request, before);
    let mut text =
        format!("HTTP/1.1 {} Answer\r\nconnection: close\r\ncontent-type: {}\r\n", answer.status, answer.content_type);
    if let Some(length) = answer.claimed_length {
        text.push_str("content-length: ");
        text.push_str(&length.to_string());
        text.push_str("\r\n");
    }
    if let Some(location) = answer.location {
        text.push_str("location: ");
        text.push_str(&location);
        text.push_str("\r\n");
    }
    connection.write_all(format!("{text}\r\n").as_bytes()).await?;
    if !head {
        for piece in answer.body.chunks((answer.body.len() / PIECES as usize).max(1024)) {
            connection.write_all(piece).await?;
            tokio::time::sleep(answer.takes / PIECES).await;
        }
    }
    connection.shutdown().await
}
