#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use tempfile::TempDir;
use ytcaption_testing::{Failures, ModelHub};

use super::*;
use crate::{Checksums, ModelInfo};

const REPOSITORY: &str = "Systran/faster-whisper-demo";

fn demo() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/demo/model"))
}

/// A hub, and a directory for its models.
struct TestHub {
    server: ModelHub,
    models: TempDir,
}

impl TestHub {
    fn new() -> Self {
        Self { server: ModelHub::start(REPOSITORY, &demo()), models: tempfile::tempdir().unwrap() }
    }

    async fn pull(&self, text: &str, token: Option<&str>) -> Result<Pulled, HubError> {
        let settings = HubSettings {
            endpoint: self.server.endpoint().parse().unwrap(),
            token: token.map(SecretString::from),
            first_delay: Duration::ZERO,
        };
        let mut last = 0;
        let mut progress = |news: Progress| {
            assert!(news.done <= news.total, "{news:?}");
            last = news.done;
        };
        pull(&Hub::new(&settings)?, &text.parse().unwrap(), self.models.path(), &mut progress).await
    }

    async fn pull_error(&self) -> HubError {
        let error = self.pull(REPOSITORY, None).await.unwrap_err();
        assert!(crate::scan(self.models.path()).is_empty(), "nothing is listed after {error}");
        error
    }

    fn target(&self) -> PathBuf {
        self.models.path().join("faster-whisper-demo")
    }

    /// The ranges requested from the weights' host.
    fn ranges(&self) -> Vec<Option<String>> {
        self.server.requests().into_iter().filter(|request| request.elsewhere).map(|request| request.range).collect()
    }
}

fn assert_complete(dir: &Path) {
    for file in ["model.bin", "config.json", "vocabulary.json", "tokenizer.json", "preprocessor_config.json"] {
        assert_eq!(std::fs::read(dir.join(file)).unwrap(), std::fs::read(demo().join(file)).unwrap(), "{file}");
    }
    let info = ModelInfo::open(dir, Checksums::Verify).unwrap();
    assert!(info.has_checksums);
}

#[tokio::test]
async fn a_model_is_downloaded_once_and_found_by_its_names() {
    let hub = TestHub::new();
    let pulled = hub.pull(REPOSITORY, None).await.unwrap();
    assert_eq!((pulled.directory.as_path(), pulled.existed), (hub.target().as_path(), false));
    assert_complete(&pulled.directory);
    let found = crate::scan(hub.models.path());
    assert_eq!(found.len(), 1, "no other directory is left: {found:?}");
    assert!(found[0].matches_name(REPOSITORY) && found[0].matches_name("faster-whisper-demo"));

    let before = hub.ranges().len();
    assert!(hub.pull(REPOSITORY, None).await.unwrap().existed);
    assert_eq!(hub.ranges().len(), before, "it is not downloaded again");
}

#[tokio::test]
async fn after_each_broken_connection_the_download_continues() {
    let hub = TestHub::new();
    hub.server.misbehave(Failures { break_after: Some(400_000), unavailable: 2, ..Failures::default() });
    assert_complete(&hub.pull(REPOSITORY, None).await.unwrap().directory);
    let ranges = hub.ranges();
    assert!(ranges.len() > 3 && ranges[0].is_none(), "{ranges:?}");
    assert!(ranges[1..].iter().all(Option::is_some), "every attempt continues where the last one ended: {ranges:?}");
}

#[tokio::test]
async fn from_a_server_that_ignores_ranges_all_is_downloaded_again() {
    let hub = TestHub::new();
    hub.server.misbehave(Failures { break_after: Some(600_000), ..Failures::default() });
    let interrupted = tokio::time::timeout(Duration::from_secs(30), async {
        // Dropped in the middle, as if the process had been killed.
        tokio::select! {
            pulled = hub.pull(REPOSITORY, None) => drop(pulled),
            () = async { while hub.ranges().is_empty() { tokio::time::sleep(Duration::from_millis(1)).await } } => {}
        }
    });
    interrupted.await.unwrap();
    hub.server.misbehave(Failures { ignore_range: true, ..Failures::default() });
    assert_complete(&hub.pull(REPOSITORY, None).await.unwrap().directory);
}

#[tokio::test]
async fn files_of_an_earlier_attempt_are_used_and_verified() {
    let hub = TestHub::new();
    let weights = std::fs::read(demo().join("model.bin")).unwrap();
    let staging = hub.models.path().join(".pull-faster-whisper-demo-0123456789ab");
    std::fs::create_dir(&staging).unwrap();
    std::fs::write(staging.join("model.bin"), &weights[..1_000_000]).unwrap();
    hub.pull(REPOSITORY, None).await.unwrap();
    assert_eq!(hub.ranges(), [Some("bytes=1000000-".to_owned())]);
    assert_complete(&hub.target());

    std::fs::remove_dir_all(hub.target()).unwrap();
    std::fs::create_dir(&staging).unwrap();
    std::fs::write(staging.join("model.bin"), vec![0; 1_000_000]).unwrap();
    assert!(matches!(hub.pull_error().await, HubError::Checksum { file: "model.bin" }));
    assert_complete(&hub.pull(REPOSITORY, None).await.unwrap().directory);
}

#[tokio::test]
async fn a_wrong_checksum_is_an_error_for_large_files_and_small_ones() {
    for file in ["model.bin", "config.json"] {
        let hub = TestHub::new();
        hub.server.misbehave(Failures { wrong_checksum: Some(file), ..Failures::default() });
        assert!(matches!(hub.pull_error().await, HubError::Checksum { file: named } if named == file));
    }
}

#[tokio::test]
async fn sizes_are_compared_with_the_announced_ones_and_with_the_disk() {
    let hub = TestHub::new();
    hub.server.misbehave(Failures { announced_bytes: Some(200_000), ..Failures::default() });
    let error = hub.pull_error().await;
    assert!(matches!(&error, HubError::Protocol { reason, .. } if reason.contains("larger")), "{error}");
    hub.server.misbehave(Failures { announced_bytes: Some(1 << 60), ..Failures::default() });
    let error = hub.pull_error().await;
    assert!(matches!(error, HubError::DiskFull { needed, .. } if needed > 1 << 59), "{error}");
    hub.server.misbehave(Failures { announced_bytes: Some(3_000_000), ..Failures::default() });
    assert!(matches!(hub.pull_error().await, HubError::Unreachable { .. }), "it never sends as much as it announced");
}

#[tokio::test]
async fn the_token_is_sent_to_the_hub_only() {
    let hub = TestHub::new();
    hub.server.misbehave(Failures { token: Some("hf_secret"), ..Failures::default() });
    let error = hub.pull_error().await;
    assert!(matches!(error, HubError::NoSuchModel { .. }), "{error}");
    assert!(error.to_string().contains("HF_TOKEN"), "{error}");
    hub.pull(REPOSITORY, Some("hf_secret")).await.unwrap();
    let requests = hub.server.requests();
    assert!(requests.iter().any(|request| request.elsewhere));
    assert!(requests.iter().all(|request| !(request.elsewhere && request.authorization.is_some())), "{requests:?}");
}

#[tokio::test]
async fn names_from_the_server_are_not_used() {
    let hub = TestHub::new();
    let also_listed = vec!["../../evil", "/etc/passwd", "..", "sub/model.bin", "run.py"];
    hub.server.misbehave(Failures { also_listed, ..Failures::default() });
    hub.pull(REPOSITORY, None).await.unwrap();
    let inside: Vec<_> = std::fs::read_dir(hub.models.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(inside, [hub.target()]);
    assert!(!hub.target().join("run.py").exists());
    let odd: Vec<_> = hub.server.requests().into_iter().filter(|request| request.what.contains("evil")).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

#[tokio::test]
async fn a_repository_without_a_converted_model_is_an_error_before_any_download() {
    let hub = TestHub::new();
    hub.server.remove("model.bin");
    let error = hub.pull_error().await;
    assert!(matches!(error, HubError::NotConverted { file: "model.bin", .. }), "{error}");
    assert!(hub.ranges().is_empty());

    let hub = TestHub::new();
    hub.server.change("model.bin", vec![7; 200_000]);
    assert!(matches!(hub.pull_error().await, HubError::Unusable { .. }));
    assert_eq!(std::fs::read_dir(hub.models.path()).unwrap().count(), 0, "an unusable model is removed");
}

#[tokio::test]
async fn an_unknown_model_or_revision_is_named() {
    let hub = TestHub::new();
    let error = hub.pull("Systran/other", None).await.unwrap_err();
    assert!(matches!(error, HubError::NoSuchModel { .. }), "{error}");
    let error = hub.pull("Systran/faster-whisper-demo@v9", None).await.unwrap_err();
    assert!(matches!(&error, HubError::NoSuchRevision { revision, .. } if revision == "v9"), "{error}");
}

#[tokio::test]
async fn a_newer_commit_replaces_the_old_one_completely() {
    let hub = TestHub::new();
    hub.pull(REPOSITORY, None).await.unwrap();
    let config = std::fs::read_to_string(demo().join("config.json")).unwrap() + "\n";
    hub.server.change("config.json", config.clone());
    let pulled = hub.pull(REPOSITORY, None).await.unwrap();
    assert!(!pulled.existed);
    assert_eq!(std::fs::read_to_string(hub.target().join("config.json")).unwrap(), config);
    assert_eq!(std::fs::read_dir(hub.models.path()).unwrap().count(), 1, "the old one is gone");
}

#[tokio::test]
async fn a_directory_that_was_not_downloaded_is_left_alone() {
    let hub = TestHub::new();
    std::fs::create_dir(hub.target()).unwrap();
    std::fs::write(hub.target().join("mine"), "mine").unwrap();
    let error = hub.pull(REPOSITORY, None).await.unwrap_err();
    assert!(matches!(error, HubError::Taken { .. }), "{error}");
    assert!(hub.target().join("mine").exists());
}

#[tokio::test]
async fn two_at_once_do_not_write_the_same_file() {
    let hub = TestHub::new();
    hub.server.misbehave(Failures { delay_ms: 2, ..Failures::default() });
    let (one, two) = tokio::join!(hub.pull(REPOSITORY, None), hub.pull(REPOSITORY, None));
    let outcomes = [one, two];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(HubError::Busy { .. }))), "{outcomes:?}");
    assert_complete(&hub.target());
}

#[tokio::test]
async fn a_hub_that_is_not_there_is_named() {
    let settings =
        HubSettings { endpoint: "http://127.0.0.1:9".parse().unwrap(), token: None, first_delay: Duration::ZERO };
    let models = tempfile::tempdir().unwrap();
    let hub = Hub::new(&settings).unwrap();
    let error = pull(&hub, &"small".parse().unwrap(), models.path(), &mut |_| ()).await.unwrap_err();
    assert!(error.to_string().starts_with("127.0.0.1:9 cannot be reached"), "{error}");
}
