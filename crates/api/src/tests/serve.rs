use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Api, COLLECTION, HEADER_TIMEOUT, MAX_BODY_BYTES};

struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

async fn served(api: &Api) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        // The sender speaks or is dropped: both mean stop.
        let _ = stopped.await;
    };
    let server = tokio::spawn(crate::serve(listener, api.router.clone(), HEADER_TIMEOUT, shutdown));
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
