//! What every blob store must do; each implementation's tests run all of it.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use crate::{BlobError, BlobInfo, BlobKey, BlobReader, BlobStore};

pub(crate) fn key(text: &str) -> BlobKey {
    BlobKey::new(text).expect("the test's key is well formed")
}

/// Bytes that repeat nowhere near a buffer's or a part's length, so a shifted copy is noticed.
pub(crate) fn noise(bytes: u32) -> Vec<u8> {
    (0..bytes).map(|i| (i.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0]).collect()
}

pub(crate) fn info_of(content: &[u8]) -> BlobInfo {
    BlobInfo { bytes: content.len() as u64, sha256: format!("{:x}", Sha256::digest(content)) }
}

pub(crate) async fn read_all(mut reader: BlobReader) -> Vec<u8> {
    let mut content = Vec::new();
    reader.read_to_end(&mut content).await.expect("the blob can be read");
    content
}

/// Yields its bytes, then breaks off as a vanished client does.
struct BreaksOff(&'static [u8]);

impl AsyncRead for BreaksOff {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        buffer.put_slice(self.0);
        self.0 = &[];
        Poll::Ready(Ok(()))
    }
}

/// Runs every check against `store`, which may hold other blobs; `scratch` is an empty directory.
pub(crate) async fn check_all(store: &dyn BlobStore, scratch: &Path) {
    store.check().await.expect("the store is ready");
    files_round_trip(store, scratch).await;
    streams_are_bounded_and_whole(store).await;
    missing_blobs(store, scratch).await;
    replacing_and_deleting(store).await;
    listing(store).await;
}

async fn listing(store: &dyn BlobStore) {
    let before = SystemTime::now() - Duration::from_secs(2);
    assert_eq!(store.list("listed", None, 10).await.expect("an empty listing"), []);
    let keys = ["listed/a", "listed/b/c", "listed/d"].map(key);
    for key in keys.iter().rev().chain([&key("listed-not/a")]) {
        store.put_stream(key, &mut &b"content"[..], 10).await.expect("put_stream");
    }
    let all = store.list("listed", None, 10).await.expect("a listing");
    assert_eq!(all.iter().map(|blob| &blob.key).collect::<Vec<_>>(), keys.iter().collect::<Vec<_>>());
    assert!(all.iter().all(|blob| blob.stored_at > before), "{all:?}");
    assert_eq!(store.list("listed", None, 2).await.expect("a part"), all[..2]);
    assert_eq!(store.list("listed", Some(&keys[1]), 2).await.expect("the rest"), all[2..]);
}

async fn files_round_trip(store: &dyn BlobStore, scratch: &Path) {
    // Empty, small, and (for S3) two parts with a short last one.
    for (name, bytes) in [("empty", 0), ("small", 1_000), ("large", 17 * 1024 * 1024 + 3)] {
        let content = noise(bytes);
        let source = scratch.join("source");
        std::fs::write(&source, &content).expect("scratch is writable");
        let key = key(&format!("files/{name}.bin"));
        let put = store.put_file(&key, &source).await.expect("put_file");
        assert_eq!(put, info_of(&content), "{name}");
        assert_eq!(store.info(&key).await.expect("info"), put, "{name}");
        assert!(read_all(store.open(&key).await.expect("open")).await == content, "{name} differs");
        let target = scratch.join("target");
        assert_eq!(store.download_to(&key, &target).await.expect("download_to"), put);
        assert!(std::fs::read(&target).expect("target is readable") == content, "{name} differs");
    }
    let names: Vec<_> = std::fs::read_dir(scratch)
        .expect("scratch is readable")
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    assert_eq!(names.len(), 2, "temporary files stayed behind: {names:?}");
}

async fn streams_are_bounded_and_whole(store: &dyn BlobStore) {
    let content = noise(700_000);
    let put = store.put_stream(&key("streams/fits"), &mut &content[..], 700_000).await;
    assert_eq!(put.expect("exactly the limit fits"), info_of(&content));
    assert!(read_all(store.open(&key("streams/fits")).await.expect("open")).await == content);

    let large = key("streams/large");
    let put = store.put_stream(&large, &mut &content[..], 699_999).await;
    assert!(matches!(put, Err(BlobError::TooLarge { limit: 699_999 })), "{put:?}");
    assert!(matches!(store.info(&large).await, Err(BlobError::NotFound { .. })));

    let broken = key("streams/broken");
    let put = store.put_stream(&broken, &mut BreaksOff(b"half of it"), 1_000).await;
    assert!(matches!(put, Err(BlobError::Source(_))), "{put:?}");
    assert!(matches!(store.open(&broken).await, Err(BlobError::NotFound { .. })));
}

async fn missing_blobs(store: &dyn BlobStore, scratch: &Path) {
    let nothing = key("missing/blob");
    let is_missing = |e: Option<BlobError>| matches!(e, Some(BlobError::NotFound { key }) if key == nothing);
    assert!(is_missing(store.open(&nothing).await.err()));
    assert!(is_missing(store.info(&nothing).await.err()));
    let target = scratch.join("never");
    assert!(is_missing(store.download_to(&nothing, &target).await.err()));
    assert!(!target.exists());
    store.delete(&nothing).await.expect("deleting nothing is fine");
}

async fn replacing_and_deleting(store: &dyn BlobStore) {
    let blob = key("replaced/blob");
    for content in [&b"first"[..], b"second, longer"] {
        let put = store.put_stream(&blob, &mut &content[..], 100).await.expect("put_stream");
        assert_eq!(store.info(&blob).await.expect("info"), put);
        assert_eq!(read_all(store.open(&blob).await.expect("open")).await, content);
    }
    store.delete(&blob).await.expect("delete");
    assert!(matches!(store.info(&blob).await, Err(BlobError::NotFound { .. })));
}
