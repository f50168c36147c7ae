#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use ytcaption_children::{ChildCommand, Limits, enforcement};

use super::*;
use crate::testing::{Answer, HttpServer, Request};

const LIMITS: Limits = Limits { memory_bytes: 1 << 30, cpu: Duration::from_mins(1), file_bytes: 0, processes: 4096 };

/// A proxy that may connect to 127.0.0.1, and to nothing else of this machine.
async fn proxy() -> EgressProxy {
    proxy_by(Matcher::builder().build()).await
}

async fn proxy_by(proxies: Matcher) -> EgressProxy {
    let policy = AddressPolicy::new(["127.0.0.1/32"]).unwrap();
    Egress { route: Route::new(policy, proxies) }.proxy().await.unwrap()
}

fn authorization(userinfo: &str) -> String {
    format!("Proxy-Authorization: Basic {}\r\n", BASE64_STANDARD.encode(userinfo))
}

/// Sends the head, with the password, and returns the whole response.
async fn request(proxy: &EgressProxy, line: &str, headers: &str) -> String {
    let authorization = authorization(&proxy.userinfo);
    request_anonymously(proxy, &format!("{line} HTTP/1.1\r\n{authorization}{headers}")).await
}

async fn request_anonymously(proxy: &EgressProxy, head: &str) -> String {
    let mut client = TcpStream::connect(proxy.address).await.unwrap();
    client.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A connection that was closed early has a response all the same, or none.
    let _ = client.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn server() -> (HttpServer, String) {
    let server = HttpServer::start(|_: &Request, _| Answer::new("text/plain", "here it is")).await;
    let port = server.url.rsplit(':').next().unwrap().to_owned();
    (server, port)
}

#[tokio::test]
async fn the_password_of_this_proxy_is_required() {
    let (server, port) = server().await;
    let (proxy, other) = (proxy().await, proxy().await);
    let target = format!("http://127.0.0.1:{port}/a");
    for line in [format!("GET {target} HTTP/1.1\r\n"), format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n")] {
        for key in [String::new(), authorization("download:guess"), authorization(&other.userinfo)] {
            let answer = request_anonymously(&proxy, &format!("{line}{key}")).await;
            assert!(answer.starts_with("HTTP/1.1 407 "), "{answer}");
            assert!(answer.to_lowercase().contains("proxy-authenticate: basic"), "{answer}");
        }
    }
    assert!(server.requests().is_empty() && proxy.blocked().is_none());
    assert!(request(&proxy, &format!("GET {target}"), "").await.ends_with("here it is"));
}

#[tokio::test]
async fn what_the_policy_refuses_is_not_connected_to_in_any_notation() {
    let (server, port) = server().await;
    let proxy = proxy().await;
    for host in [
        "127.0.0.2",
        "127.1.2.3",
        "0.0.0.0",
        "0x7f000002",
        "2130706434",
        "0177.0.0.2",
        "[::1]",
        "[::ffff:127.0.0.2]",
        "10.0.0.1",
        "169.254.169.254",
        "[fd00::1]",
    ] {
        for line in [format!("GET http://{host}:{port}/a?key=secret"), format!("CONNECT {host}:{port}")] {
            let answer = request(&proxy, &line, "").await;
            assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("network.allow"), "{line}: {answer}");
            let Some(Blocked { destination, error }) = proxy.blocked() else { panic!("{line} left no trace") };
            assert_eq!(destination, format!("{host}:{port}"));
            assert!(error.to_string().contains("network.allow"), "{error}");
        }
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let proxy = proxy().await;
    for line in [
        "GET ftp://127.0.0.1/a",
        "GET rtmp://127.0.0.1/a",
        "GET file://127.0.0.1/etc/passwd",
        "GET https://127.0.0.1/a",
        "GET /a",
        "CONNECT 127.0.0.1",
        "CONNECT http://127.0.0.1/",
    ] {
        let answer = request(&proxy, line, "Host: 127.0.0.1\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 403 ") || answer.starts_with("HTTP/1.1 400 "), "{line}: {answer}");
    }
}

#[tokio::test]
async fn a_request_arrives_as_if_it_came_directly() {
    let (server, port) = server().await;
    let proxy = proxy().await;
    let headers = "Host: elsewhere.example\r\nRange: bytes=0-\r\nTE: trailers\r\nX-Hop: 1\r\nConnection: x-hop\r\n\
                   Proxy-Connection: keep-alive\r\n";
    let answer = request(&proxy, &format!("GET http://user:password@127.0.0.1:{port}/a%20b?c=d"), headers).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("here it is"), "{answer}");
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert_eq!(request.path, "/a%20b?c=d");
    let mut names: Vec<&str> = request.headers.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["connection", "host", "range"]);
    assert_eq!(request.headers["host"], format!("127.0.0.1:{port}"));
    assert_eq!(request.headers["connection"], "close");
}

#[tokio::test]
async fn a_tunnel_carries_bytes_until_the_proxy_is_dropped() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let echo = AbortOnDropHandle::new(tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut from, mut to) = stream.split();
        tokio::io::copy(&mut from, &mut to).await.unwrap()
    }));
    let proxy = proxy().await;
    let mut client = TcpStream::connect(proxy.address).await.unwrap();
    let head = format!("CONNECT {target} HTTP/1.1\r\n{}\r\n", authorization(&proxy.userinfo));
    client.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let read = client.read(&mut answer).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200 ") && answer[..read].ends_with(b"\r\n\r\n"));
    client.write_all(b"\x16\x03bytes").await.unwrap();
    let mut back = [0; 7];
    client.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"\x16\x03bytes");
    drop(proxy);
    assert_eq!(client.read(&mut answer).await.unwrap_or(0), 0, "the client is disconnected");
    assert_eq!(echo.await.unwrap(), 7, "and so is the server");
}

#[tokio::test]
async fn too_long_heads_are_refused() {
    let proxy = proxy().await;
    let long = format!("X-Long: {}\r\n", "a".repeat(2 * service::HEAD_LIMIT));
    let answer = request(&proxy, "GET http://127.0.0.1:9/", &long).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let _server = AbortOnDropHandle::new(tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{long}\r\nbody").as_bytes()).await;
        std::future::pending::<()>().await;
    }));
    assert_eq!(request(&proxy, &format!("GET http://{target}/"), "").await, "");
}

#[tokio::test]
async fn a_silent_server_is_disconnected() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let proxy = proxy().await;
    let silent = async {
        let (stream, _) = listener.accept().await.unwrap();
        // From here on the clock jumps to the next timeout.
        tokio::time::pause();
        stream
    };
    let line = format!("GET http://{target}/");
    let (answer, _stream) = tokio::join!(request(&proxy, &line, ""), silent);
    assert_eq!(answer, "");
}

#[tokio::test]
async fn only_the_last_connection_is_reported() {
    let (_server, port) = server().await;
    let proxy = proxy().await;
    assert!(request(&proxy, "GET http://127.0.0.1:1/", "").await.starts_with("HTTP/1.1 502 "));
    assert!(matches!(proxy.blocked(), Some(Blocked { error: EgressError::Unreachable(_), .. })));
    assert!(request(&proxy, "GET http://no-such-host.invalid/", "").await.starts_with("HTTP/1.1 502 "));
    assert_eq!(proxy.blocked().unwrap().destination, "no-such-host.invalid");
    assert!(request(&proxy, &format!("GET http://127.0.0.1:{port}/"), "").await.starts_with("HTTP/1.1 200 "));
    assert!(proxy.blocked().is_none());
}

#[tokio::test]
async fn the_operators_proxy_receives_the_address_that_was_checked() {
    let (server, port) = server().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let operators = listener.local_addr().unwrap();
    let head = AbortOnDropHandle::new(tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head.push(char::from(stream.read_u8().await.unwrap()));
        }
        let target = head.split(' ').nth(1).unwrap();
        let mut upstream = TcpStream::connect(target).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut upstream).await;
        head
    }));
    let proxy = proxy_by(Matcher::builder().all(format!("http://me:mine@{operators}")).build()).await;
    assert!(request(&proxy, &format!("GET http://127.0.0.2:{port}/"), "").await.starts_with("HTTP/1.1 403 "));
    // 127.0.0.1 in a notation that could also be a name.
    let answer = request(&proxy, &format!("GET http://0x7f000001:{port}/"), "").await;
    assert!(answer.ends_with("here it is"), "{answer}");
    let head = head.await.unwrap();
    assert!(head.starts_with(&format!("CONNECT 127.0.0.1:{port} ")), "{head}");
    assert!(head.contains(&BASE64_STANDARD.encode("me:mine")), "{head}");
    assert_eq!(server.requests()[0].headers["host"], format!("0x7f000001:{port}"));

    let unusable = proxy_by(Matcher::builder().all("socks5://127.0.0.1:1").build()).await;
    request(&unusable, &format!("GET http://127.0.0.1:{port}/"), "").await;
    assert!(matches!(unusable.blocked(), Some(Blocked { error: EgressError::UpstreamProxy(_), .. })));
}

/// Programs that do not use the proxy reach nothing, where the kernel enforces it.
#[tokio::test]
async fn a_sandboxed_program_reaches_the_port_of_its_proxy_only() {
    let (server, port) = server().await;
    let proxy = proxy().await;
    let reaches = async |port: &str| {
        let mut bash = ChildCommand::new("bash", LIMITS);
        bash.args(["-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}")]).connects_to(proxy.port());
        bash.spawn().unwrap().wait().await.unwrap().success()
    };
    assert!(reaches(&proxy.port().to_string()).await);
    assert_eq!(reaches(&port).await, !enforcement().network);
    drop(server);
}

/// ffmpeg sends the password only after a 407, and opens a tunnel for TLS.
#[tokio::test]
async fn ffmpeg_goes_through_the_proxy_for_tls_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}/a.ts", listener.local_addr().unwrap());
    let proxy = proxy().await;
    let mut ffmpeg = ChildCommand::new("ffmpeg", LIMITS);
    ffmpeg.args(["-v", "error", "-nostdin", "-i", &address, "-f", "null", "-"]);
    let _running = ffmpeg.envs(proxy.variables()).connects_to(proxy.port()).spawn().unwrap();
    let (mut stream, _) = tokio::time::timeout(crate::testing::TEST_TIMEOUT, listener.accept()).await.unwrap().unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 0x16, "a TLS handshake");
}
