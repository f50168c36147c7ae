use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Api, COLLECTION, MAX_BODY_BYTES, connection_limits};
use crate::{ApiSettings, ConnectionLimits, TrustedProxies};

/// An answer takes milliseconds; this is also enough on a busy machine, and far less than the header timeout.
const AT_ONCE: Duration = Duration::from_secs(5);

struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

async fn served(api: &Api) -> Served {
    served_within(api, connection_limits()).await
}

async fn served_within(api: &Api, limits: ConnectionLimits) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        // The sender speaks or is dropped: both mean stop.
        let _ = stopped.await;
    };
    let router = api.router.clone();
    let server = tokio::spawn(async move { crate::serve(listener, router, &limits, shutdown).await });
    Served { address, stop, server }
}

async fn answer(connection: &mut TcpStream) -> String {
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("the answer arrives whole");
    answer
}

#[tokio::test]
async fn a_request_in_progress_is_answered_after_the_stop() {
    let api = Api::new().await;
    let Served { address, stop, server } = served(&api).await;
    let body = r#"{"url": "https://example.org/a.mp4"}"#;
    let mut connection = TcpStream::connect(address).await.expect("it listens");
    let head = format!(
        "POST {COLLECTION} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         expect: 100-continue\r\nconnection: close\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await.expect("it reads");
    let mut go_on = [0; 25];
    connection.read_exact(&mut go_on).await.expect("it wants the body");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");

    stop.send(()).expect("the server runs");
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(TcpStream::connect(address).await.is_err(), "nobody is let in any more");
    connection.write_all(body.as_bytes()).await.expect("it still reads");
    let answer = answer(&mut connection).await;
    assert!(answer.starts_with("HTTP/1.1 202 Accepted"), "{answer}");
    server.await.expect("the server does not panic");
}

/// Over a real connection the client is still sending when the server has had enough; it must see why all the same.
#[tokio::test]
async fn a_client_that_sends_too_much_sees_the_answer() {
    let api = Api::new().await;
    let served = served(&api).await;
    let body = format!("{{\"url\": \"{}\"}}", "a".repeat(3_000_000));
    let mut connection = TcpStream::connect(served.address).await.expect("it listens");
    let head = format!(
        "POST {COLLECTION} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await.expect("it reads");
    connection.write_all(body.as_bytes()).await.expect("it reads on");
    let answer = answer(&mut connection).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains(&format!("\"limit_bytes\":{MAX_BODY_BYTES}")), "{answer}");
}

/// Connects from this address of the machine, which is a client of its own.
async fn connect_from(client: Ipv4Addr, server: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from((client, 0))).expect("a loopback address");
    socket.connect(server).await.expect("it listens")
}

async fn is_live(mut connection: TcpStream) -> bool {
    let request = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mut answer = String::new();
    let exchange = async {
        connection.write_all(request).await?;
        connection.read_to_string(&mut answer).await
    };
    timeout(AT_ONCE, exchange).await.is_ok_and(|read| read.is_ok()) && answer.starts_with("HTTP/1.1 200")
}

#[tokio::test]
async fn connections_that_send_nothing_do_not_silence_the_server() {
    let api = Api::new().await;
    let served = served(&api).await;
    let client = Ipv4Addr::LOCALHOST;
    let mut silent = vec![];
    for _ in 0..1_100 {
        silent.push(connect_from(client, served.address).await);
    }
    assert!(is_live(connect_from(client, served.address).await).await, "the same client");
    assert!(is_live(connect_from(Ipv4Addr::new(127, 0, 0, 2), served.address).await).await, "another client");
    drop(silent);
}

#[tokio::test]
async fn a_client_has_its_share_of_the_connections_and_a_trusted_proxy_has_all() {
    let api = Api::new().await;
    let proxy = Ipv4Addr::new(127, 0, 0, 9);
    let settings = ApiSettings {
        max_connections: 12,
        max_connections_per_client: 3,
        trusted_proxies: vec![proxy.to_string()],
        ..ApiSettings::default()
    };
    let limits = ConnectionLimits::new(&settings, TrustedProxies::new(&settings).expect("networks"));
    let served = served_within(&api, limits).await;
    let (greedy, other) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
    let mut silent = vec![];
    for _ in 0..3 {
        silent.push(connect_from(greedy, served.address).await);
    }
    assert!(!is_live(connect_from(greedy, served.address).await).await, "it holds three");
    assert!(is_live(connect_from(other, served.address).await).await);
    for _ in 0..5 {
        silent.push(connect_from(proxy, served.address).await);
    }
    assert!(is_live(connect_from(proxy, served.address).await).await, "its connections are of many clients");
    silent.clear();
    super::eventually("what was closed is free again", async || {
        is_live(connect_from(greedy, served.address).await).await
    })
    .await;
}
