//! Against s3s-fs, an S3 server on a directory, over real HTTP on loopback.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::tempdir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use crate::conformance::{check_all, info_of, key};
use crate::{BlobError, BlobSettings, BlobStore, BlobStoreKind};

use super::S3;

const BUCKET: &str = "captions";
const ACCESS_KEY: &str = "test-key";
const SECRET_KEY: &str = "test-secret";

/// Serves `directory` until the test's runtime ends.
async fn serve(directory: &Path) -> SocketAddr {
    std::fs::create_dir_all(directory.join(BUCKET)).expect("bucket directory");
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(directory).expect("s3s-fs"));
    service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    let service = service.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let http = Builder::new(TokioExecutor::new());
        while let Ok((socket, _)) = listener.accept().await {
            let serving = http.serve_connection(TokioIo::new(socket), service.clone()).into_owned();
            tokio::spawn(async move { serving.await.ok() });
        }
    });
    address
}

fn url(address: SocketAddr) -> Option<Url> {
    Url::parse(&format!("http://{address}")).ok()
}

fn settings(address: SocketAddr) -> BlobSettings {
    BlobSettings {
        kind: BlobStoreKind::S3,
        bucket: Some(BUCKET.into()),
        endpoint: url(address),
        region: "eu-test-1".into(),
        access_key_id: Some(ACCESS_KEY.into()),
        secret_access_key: Some(SECRET_KEY.into()),
        ..BlobSettings::default()
    }
}

#[tokio::test]
async fn keeps_every_promise() {
    let (root, scratch) = (tempdir().expect("root"), tempdir().expect("scratch"));
    let settings = settings(serve(root.path()).await);
    let store = crate::open(&settings).await.expect("open");
    check_all(&*store, scratch.path()).await;
}

#[tokio::test]
async fn an_object_of_another_program_has_a_fingerprint() {
    let root = tempdir().expect("root");
    let store = S3::open(&settings(serve(root.path()).await)).await.expect("open");
    let bare = store.client.put_object().bucket(BUCKET).key("foreign");
    bare.body(b"content".to_vec().into()).send().await.expect("put_object");
    assert_eq!(store.info(&key("foreign")).await.expect("info"), info_of(b"content"));
}

#[tokio::test]
async fn an_error_says_what_is_wrong() {
    let root = tempdir().expect("root");
    let right = settings(serve(root.path()).await);
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        listener.local_addr().expect("bound")
    };
    let cases = [
        (BlobSettings { bucket: Some("nowhere".into()), ..right.clone() }, "does not exist"),
        (BlobSettings { secret_access_key: Some("wrong".into()), ..right.clone() }, "access denied"),
        (BlobSettings { endpoint: url(closed), ..right.clone() }, "is the service running"),
    ];
    for (settings, hint) in cases {
        let error = S3::open(&settings).await.expect("open").check().await.expect_err(hint);
        assert!(matches!(error, BlobError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains(hint), "{error}");
        assert!(error.is_transient());
    }
    let unfit = [BlobSettings { bucket: None, ..right.clone() }, BlobSettings { secret_access_key: None, ..right }];
    for settings in unfit {
        assert!(matches!(S3::open(&settings).await, Err(BlobError::Unreachable { .. })));
    }
}

/// Answers every request with `status` and an S3 error `code`; counts the requests.
async fn refuse(status: u16, code: &str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    let answer = format!(
        "HTTP/1.1 {status} No\r\nContent-Type: application/xml\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match socket.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            socket.write_all(answer.as_bytes()).await.ok();
        }
    });
    (address, requests)
}

// s3s-fs creates buckets as it goes, so these answers are given as Amazon documents them.
#[tokio::test]
async fn a_bucket_that_is_gone_is_not_a_missing_blob() {
    let (address, _) = refuse(404, "NoSuchBucket").await;
    let store = S3::open(&settings(address)).await.expect("open");
    let error = store.open(&key("a")).await.err().expect("refused");
    assert!(matches!(error, BlobError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("create it"), "{error}");
}

#[tokio::test]
async fn an_unhealthy_service_is_tried_again_and_then_named() {
    let (address, requests) = refuse(503, "SlowDown").await;
    let store = S3::open(&settings(address)).await.expect("open");
    let error = store.open(&key("a")).await.err().expect("refused");
    assert!(matches!(error, BlobError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("503 SlowDown"), "{error}");
    assert_eq!(requests.load(Ordering::Relaxed), super::ATTEMPTS as usize);
}
