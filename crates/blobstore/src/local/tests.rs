use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::tempdir;

use super::{INCOMING, LocalDirectory};
use crate::conformance::{check_all, info_of, key};
use crate::{BlobError, BlobSettings, BlobStore};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("path exists").permissions().mode() & 0o777
}

#[tokio::test]
async fn keeps_every_promise() {
    let (root, scratch) = (tempdir().expect("root"), tempdir().expect("scratch"));
    let settings = BlobSettings { path: root.path().join("deep/blobs"), ..BlobSettings::default() };
    let store = crate::open(&settings).await.expect("open");
    check_all(&*store, scratch.path()).await;
    let incoming = root.path().join("deep/blobs").join(INCOMING);
    assert_eq!(std::fs::read_dir(incoming).expect("incoming").count(), 0);
}

#[tokio::test]
async fn only_the_owner_can_read_it() {
    let root = tempdir().expect("root");
    let directory = root.path().join("blobs");
    let store = LocalDirectory::open(&directory).await.expect("open");
    store.put_stream(&key("a/b"), &mut &b"secret"[..], 10).await.expect("put");
    assert_eq!((mode(&directory), mode(&directory.join("a")), mode(&directory.join("a/b"))), (0o700, 0o700, 0o600));
}

#[tokio::test]
async fn deleting_removes_empty_directories_and_only_those() {
    let root = tempdir().expect("root");
    let store = LocalDirectory::open(root.path()).await.expect("open");
    for blob in ["jobs/1/audio.wav", "jobs/2/audio.wav"] {
        store.put_stream(&key(blob), &mut &b"x"[..], 1).await.expect("put");
    }
    store.delete(&key("jobs/1/audio.wav")).await.expect("delete");
    assert!(!root.path().join("jobs/1").exists() && root.path().join("jobs/2/audio.wav").exists());
    store.delete(&key("jobs/2/audio.wav")).await.expect("delete");
    assert!(!root.path().join("jobs").exists() && root.path().join(INCOMING).exists());
}

#[tokio::test]
async fn a_file_put_there_by_hand_has_a_fingerprint_and_a_directory_is_not_a_blob() {
    let root = tempdir().expect("root");
    let store = LocalDirectory::open(root.path()).await.expect("open");
    std::fs::create_dir(root.path().join("hand")).expect("directory");
    std::fs::write(root.path().join("hand/made"), b"content").expect("file");
    assert_eq!(store.info(&key("hand/made")).await.expect("info"), info_of(b"content"));
    assert!(matches!(store.open(&key("hand")).await, Err(BlobError::NotFound { .. })));
    assert!(matches!(store.open(&key("hand/made/x")).await, Err(BlobError::NotFound { .. })));
}

#[tokio::test]
async fn corruption_is_found_on_download() {
    let (root, scratch) = (tempdir().expect("root"), tempdir().expect("scratch"));
    let store = LocalDirectory::open(root.path()).await.expect("open");
    store.put_stream(&key("b"), &mut &b"before"[..], 10).await.expect("put");
    if !has_attributes(root.path()) {
        return eprintln!("skipped: this file system has no extended attributes");
    }
    std::fs::write(root.path().join("b"), b"behind").expect("same file, other content");
    let target = scratch.path().join("b");
    let found = store.download_to(&key("b"), &target).await;
    assert!(matches!(found, Err(BlobError::Corrupt { .. })), "{found:?}");
    assert_eq!(std::fs::read_dir(scratch.path()).expect("scratch").count(), 0);
}

fn has_attributes(directory: &Path) -> bool {
    let empty = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(directory, "user.ytcaption.probe", b"1", empty).is_ok()
}

#[tokio::test]
async fn what_a_crash_left_is_cleared_once_it_is_old() {
    let root = tempdir().expect("root");
    drop(LocalDirectory::open(root.path()).await.expect("open"));
    let (old, new) = (root.path().join(INCOMING).join("old"), root.path().join(INCOMING).join("new"));
    for path in [&old, &new] {
        std::fs::write(path, b"half").expect("left over");
    }
    let yesterday = SystemTime::now() - Duration::from_hours(25);
    std::fs::File::options().write(true).open(&old).and_then(|f| f.set_modified(yesterday)).expect("time can be set");
    LocalDirectory::open(root.path()).await.expect("open");
    assert!(!old.exists() && new.exists());
}

#[tokio::test]
async fn an_unusable_directory_is_one_clear_sentence() {
    let root = tempdir().expect("root");
    let file = root.path().join("file");
    std::fs::write(&file, b"").expect("file");
    let error = LocalDirectory::open(&file.join("blobs")).await.expect_err("a file is not a directory");
    assert!(matches!(error, BlobError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("cannot write in the directory"), "{error}");

    let gone = root.path().join("gone");
    let store = LocalDirectory::open(&gone).await.expect("open");
    store.check().await.expect("ready");
    std::fs::remove_dir_all(&gone).expect("removed");
    assert!(matches!(store.check().await, Err(BlobError::Unreachable { .. })));
}
