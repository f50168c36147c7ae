//! An S3 server that stores its objects in a directory, over HTTP on loopback.

use std::net::SocketAddr;
use std::path::PathBuf;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

const BUCKET: &str = "captions";
const ACCESS_KEY: &str = "test-key";
const SECRET_KEY: &str = "test-secret";

/// A running server with one bucket; stopped when dropped.
pub(crate) struct S3Server {
    address: SocketAddr,
    directory: TempDir,
    _running: AbortOnDropHandle<()>,
}

impl S3Server {
    /// Starts a server.
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(directory.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let running = tokio::spawn(async move {
            let http = Builder::new(TokioExecutor::new());
            while let Ok((socket, _)) = listener.accept().await {
                let serving = http.serve_connection(TokioIo::new(socket), service.clone()).into_owned();
                // A client that closes its connection is not an error of the server.
                tokio::spawn(async move { serving.await.ok() });
            }
        });
        Self { address, directory, _running: AbortOnDropHandle::new(running) }
    }

    /// The settings with which the program stores its blobs here.
    pub(crate) fn settings(&self) -> [(&'static str, String); 5] {
        [
            ("YTCAPTION_STORAGE__KIND", "s3".to_owned()),
            ("YTCAPTION_STORAGE__BUCKET", BUCKET.to_owned()),
            ("YTCAPTION_STORAGE__ENDPOINT", format!("http://{}", self.address)),
            ("YTCAPTION_STORAGE__ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("YTCAPTION_STORAGE__SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ]
    }

    /// The file of the object with this key.
    pub(crate) fn object(&self, key: &str) -> PathBuf {
        self.directory.path().join(BUCKET).join(key)
    }
}
