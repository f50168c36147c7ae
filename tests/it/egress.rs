//! Redirects, pages and playlists that lead to private addresses are refused, and the job says why. With the real yt-dlp
//! and ffmpeg.

use axum::Router;
use axum::response::{Html, Redirect};
use axum::routing::get;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use crate::client::Client;
use crate::media_site;
use crate::speech::assert_transcribed;
use crate::system::System;

/// The only address of this machine that downloads may connect to.
const ALLOW: (&str, &str) = ("YTCAPTION_NETWORK__ALLOW", "127.0.0.1/32");
/// The operator's exceptions from a proxy must not become exceptions from the address policy.
const NO_PROXY: [(&str, &str); 2] = [("NO_PROXY", "*"), ("no_proxy", "*")];

/// A server on 127.0.0.2, which downloads may not connect to; counts its connections.
async fn private_server() -> (u16, AbortOnDropHandle<()>, tokio::sync::watch::Receiver<u32>) {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (count, connections) = tokio::sync::watch::channel(0);
    let running = tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.send_modify(|count| *count += 1);
        }
    });
    (port, AbortOnDropHandle::new(running), connections)
}

/// A site on an allowed address that leads to the private server; returns its URL.
async fn malicious_site(port: u16) -> (String, AbortOnDropHandle<()>) {
    let private = format!("http://127.0.0.2:{port}");
    let redirect = Redirect::temporary(&format!("{private}/secret.mp4"));
    let page = Html(format!("<title>T</title><video src='{private}/secret.mp4'></video>"));
    let head = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXT-X-PLAYLIST-TYPE:VOD\n";
    let playlist = format!("{head}#EXTINF:3,\n{private}/a.ts\n#EXT-X-ENDLIST\n");
    let router = Router::new()
        .route("/redirect.mp4", get(async move || redirect))
        .route("/page", get(async move || page))
        .route("/list.m3u8", get(async move || ([("content-type", "application/vnd.apple.mpegurl")], playlist)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let running = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, AbortOnDropHandle::new(running))
}

#[tokio::test]
async fn redirects_pages_and_playlists_to_private_addresses_are_refused() {
    let system = System::start_with(&[ALLOW, NO_PROXY[0], NO_PROXY[1]]).await;
    let client = Client::for_system(&system);
    let (port, _server, connections) = private_server().await;
    let (url, _site) = malicious_site(port).await;
    for path in ["/redirect.mp4", "/page", "/list.m3u8"] {
        let id = client.submit_url(&format!("{url}{path}")).await;
        let job = client.ended(&id).await;
        assert_eq!((&job["status"], &job["error"]["code"]), (&"failed".into(), &"private_address".into()), "{job:#}");
        let message = job["error"]["message"].as_str().unwrap();
        for part in ["127.0.0.2", &port.to_string(), "network.allow"] {
            assert!(message.contains(part), "{path}: {part} is not in {message:?}");
        }
        assert!(!message.contains("secret.mp4"), "the message shows the path: {message:?}");
    }
    assert_eq!(*connections.borrow(), 0, "the private server was connected to");
    let good = client.submit_url(&media_site::url("/page")).await;
    client.completed(&good).await;
    assert_transcribed(&client.result(&good, "txt").await);
}

/// Other processes of the machine cannot use the proxy of a download, which requires a password. The programs of the
/// download can only connect where the policy allows it.
#[tokio::test]
async fn the_proxy_of_a_download_serves_only_its_own_programs() {
    let system = System::start_with(&[ALLOW, NO_PROXY[0], NO_PROXY[1]]).await;
    let client = Client::for_system(&system);
    let (port, _server, connections) = private_server().await;
    let url = media_site::url(&format!("/slow.mp4?{}", uuid::Uuid::new_v4()));
    let id = client.submit_url(&url).await;
    client.downloading(&id).await;
    let (command_line, variables) = loop {
        if let Some(found) = ytdlp_process(&url) {
            break found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert!(!variables.iter().any(|line| line.to_lowercase().starts_with("no_proxy")), "{variables:?}");
    let proxy = variables.iter().find_map(|line| line.strip_prefix("https_proxy=http://")).unwrap();
    let (userinfo, address) = proxy.split_once('@').unwrap();
    let (_, password) = userinfo.split_once(':').unwrap();
    assert!(!command_line.contains(password), "every user of the machine can read a command line");

    let key = format!("Proxy-Authorization: Basic {}\r\n", base64(userinfo));
    let wrong = format!("Proxy-Authorization: Basic {}\r\n", base64("download:guess"));
    for (target, key, status) in [
        (format!("CONNECT 127.0.0.2:{port}"), "", 407),
        (format!("CONNECT 127.0.0.2:{port}"), &wrong, 407),
        (format!("GET {}", media_site::url("/video.mp4")), "", 407),
        (format!("CONNECT 127.0.0.2:{port}"), &key, 403),
        (format!("GET http://127.0.0.2:{port}/"), &key, 403),
        (format!("HEAD {}", media_site::url("/video.mp4")), &key, 200),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("{target} HTTP/1.1\r\nHost: x\r\n{key}Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{target}: {response}");
    }
    assert_eq!(*connections.borrow(), 0, "the private server was connected to");
    client.post(&format!("/api/v1/transcriptions/{id}/cancel"), &Value::Object(serde_json::Map::new())).await;
    client.ended(&id).await;
    assert!(!system.log().contains(password), "the log contains the password");
    let closed = async || TcpStream::connect(address).await.is_err();
    let deadline = std::time::Instant::now() + crate::client::JOB_TIMEOUT;
    while !closed().await {
        assert!(std::time::Instant::now() < deadline, "the proxy outlives its download");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// The command line and the environment of the yt-dlp process that downloads `url`.
fn ytdlp_process(url: &str) -> Option<(String, Vec<String>)> {
    let read = |path: std::path::PathBuf| std::fs::read(path).map(|text| String::from_utf8_lossy(&text).into_owned());
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|process| {
        let command_line = read(process.path().join("cmdline")).ok().filter(|line| line.contains(url))?;
        let environment = read(process.path().join("environ")).ok()?;
        Some((command_line, environment.split('\0').map(str::to_owned).collect()))
    })
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(text)
}
