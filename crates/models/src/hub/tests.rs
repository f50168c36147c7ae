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

/// A hub, and a folder for its models.
struct World {
    hub: ModelHub,
    models: TempDir,
}

impl World {
    fn new() -> Self {
        Self { hub: ModelHub::start(REPOSITORY, &demo()), models: tempfile::tempdir().unwrap() }
    }

    async fn pull(&self, text: &str, token: Option<&str>) -> Result<Pulled, HubError> {
        let settings = HubSettings {
            endpoint: self.hub.endpoint().parse().unwrap(),
            token: token.map(SecretString::from),
            first_pause: Duration::ZERO,
        };
        let mut last = 0;
        let mut progress = |news: Progress| {
            assert!(news.done <= news.total, "{news:?}");
            last = news.done;
        };
        pull(&Hub::new(&settings)?, &text.parse().unwrap(), self.models.path(), &mut progress).await
    }

    async fn refused(&self) -> HubError {
        let error = self.pull(REPOSITORY, None).await.unwrap_err();
        assert!(crate::scan(self.models.path()).is_empty(), "nothing is listed after {error}");
        error
    }

    fn target(&self) -> PathBuf {
        self.models.path().join("faster-whisper-demo")
    }

    /// What is asked of the weights' host.
    fn ranges(&self) -> Vec<Option<String>> {
        self.hub.requests().into_iter().filter(|asked| asked.elsewhere).map(|asked| asked.range).collect()
    }
}

fn assert_whole(folder: &Path) {
    for file in ["model.bin", "config.json", "vocabulary.json", "tokenizer.json", "preprocessor_config.json"] {
        assert_eq!(std::fs::read(folder.join(file)).unwrap(), std::fs::read(demo().join(file)).unwrap(), "{file}");
    }
    let info = ModelInfo::open(folder, Checksums::Verify).unwrap();
    assert!(info.has_checksums);
}

#[tokio::test]
async fn a_model_is_fetched_once_and_found_by_its_names() {
    let world = World::new();
    let pulled = world.pull(REPOSITORY, None).await.unwrap();
    assert_eq!((pulled.folder.as_path(), pulled.was_there), (world.target().as_path(), false));
    assert_whole(&pulled.folder);
    let found = crate::scan(world.models.path());
    assert_eq!(found.len(), 1, "nothing else stays behind: {found:?}");
    assert!(found[0].matches_name(REPOSITORY) && found[0].matches_name("faster-whisper-demo"));

    let before = world.ranges().len();
    assert!(world.pull(REPOSITORY, None).await.unwrap().was_there);
    assert_eq!(world.ranges().len(), before, "it is not fetched again");
}

#[tokio::test]
async fn a_connection_that_breaks_again_and_again_brings_the_rest_each_time() {
    let world = World::new();
    world.hub.misbehave(Failures { break_after: Some(400_000), unavailable: 2, ..Failures::default() });
    assert_whole(&world.pull(REPOSITORY, None).await.unwrap().folder);
    let ranges = world.ranges();
    assert!(ranges.len() > 3 && ranges[0].is_none(), "{ranges:?}");
    assert!(ranges[1..].iter().all(Option::is_some), "every try goes on where the last one broke off: {ranges:?}");
}

#[tokio::test]
async fn a_server_that_cannot_go_on_in_the_middle_sends_all_again() {
    let world = World::new();
    world.hub.misbehave(Failures { break_after: Some(600_000), ..Failures::default() });
    let interrupted = tokio::time::timeout(Duration::from_secs(30), async {
        // Dropped in the middle, as if the process had been killed.
        tokio::select! {
            pulled = world.pull(REPOSITORY, None) => drop(pulled),
            () = async { while world.ranges().is_empty() { tokio::time::sleep(Duration::from_millis(1)).await } } => {}
        }
    });
    interrupted.await.unwrap();
    world.hub.misbehave(Failures { ignore_range: true, ..Failures::default() });
    assert_whole(&world.pull(REPOSITORY, None).await.unwrap().folder);
}

#[tokio::test]
async fn what_an_earlier_attempt_left_is_used_and_what_is_wrong_in_it_is_found() {
    let world = World::new();
    let weights = std::fs::read(demo().join("model.bin")).unwrap();
    let staging = world.models.path().join(".pull-faster-whisper-demo-0123456789ab");
    std::fs::create_dir(&staging).unwrap();
    std::fs::write(staging.join("model.bin"), &weights[..1_000_000]).unwrap();
    world.pull(REPOSITORY, None).await.unwrap();
    assert_eq!(world.ranges(), [Some("bytes=1000000-".to_owned())]);
    assert_whole(&world.target());

    std::fs::remove_dir_all(world.target()).unwrap();
    std::fs::create_dir(&staging).unwrap();
    std::fs::write(staging.join("model.bin"), vec![0; 1_000_000]).unwrap();
    assert!(matches!(world.refused().await, HubError::Checksum { file: "model.bin" }));
    assert_whole(&world.pull(REPOSITORY, None).await.unwrap().folder);
}

#[tokio::test]
async fn a_wrong_checksum_is_an_error_for_large_files_and_small_ones() {
    for file in ["model.bin", "config.json"] {
        let world = World::new();
        world.hub.misbehave(Failures { wrong_checksum: Some(file), ..Failures::default() });
        assert!(matches!(world.refused().await, HubError::Checksum { file: named } if named == file));
    }
}

#[tokio::test]
async fn sizes_are_held_against_what_was_announced_and_against_the_disk() {
    let world = World::new();
    world.hub.misbehave(Failures { announced_bytes: Some(200_000), ..Failures::default() });
    let error = world.refused().await;
    assert!(matches!(&error, HubError::Protocol { reason, .. } if reason.contains("larger")), "{error}");
    world.hub.misbehave(Failures { announced_bytes: Some(1 << 60), ..Failures::default() });
    let error = world.refused().await;
    assert!(matches!(error, HubError::DiskFull { needed, .. } if needed > 1 << 59), "{error}");
    world.hub.misbehave(Failures { announced_bytes: Some(3_000_000), ..Failures::default() });
    assert!(matches!(world.refused().await, HubError::Unreachable { .. }), "it never gets what was announced");
}

#[tokio::test]
async fn the_token_goes_to_the_hub_and_nowhere_else() {
    let world = World::new();
    world.hub.misbehave(Failures { token: Some("hf_secret"), ..Failures::default() });
    let error = world.refused().await;
    assert!(matches!(error, HubError::NoSuchModel { .. }), "{error}");
    assert!(error.to_string().contains("HF_TOKEN"), "{error}");
    world.pull(REPOSITORY, Some("hf_secret")).await.unwrap();
    let asked = world.hub.requests();
    assert!(asked.iter().any(|asked| asked.elsewhere));
    assert!(asked.iter().all(|asked| !(asked.elsewhere && asked.authorization.is_some())), "{asked:?}");
}

#[tokio::test]
async fn names_from_the_server_lead_nowhere() {
    let world = World::new();
    let also_listed = vec!["../../evil", "/etc/passwd", "..", "sub/model.bin", "run.py"];
    world.hub.misbehave(Failures { also_listed, ..Failures::default() });
    world.pull(REPOSITORY, None).await.unwrap();
    let inside: Vec<_> = std::fs::read_dir(world.models.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(inside, [world.target()]);
    assert!(!world.target().join("run.py").exists());
    let odd: Vec<_> = world.hub.requests().into_iter().filter(|asked| asked.what.contains("evil")).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

#[tokio::test]
async fn a_repository_without_a_converted_model_is_refused_before_anything_is_fetched() {
    let world = World::new();
    world.hub.remove("model.bin");
    let error = world.refused().await;
    assert!(matches!(error, HubError::NotConverted { file: "model.bin", .. }), "{error}");
    assert!(world.ranges().is_empty());

    let world = World::new();
    world.hub.change("model.bin", vec![7; 200_000]);
    assert!(matches!(world.refused().await, HubError::Unusable { .. }));
    assert_eq!(std::fs::read_dir(world.models.path()).unwrap().count(), 0, "what is of no use is thrown away");
}

#[tokio::test]
async fn an_unknown_model_or_revision_is_named() {
    let world = World::new();
    let error = world.pull("Systran/other", None).await.unwrap_err();
    assert!(matches!(error, HubError::NoSuchModel { .. }), "{error}");
    let error = world.pull("Systran/faster-whisper-demo@v9", None).await.unwrap_err();
    assert!(matches!(&error, HubError::NoSuchRevision { revision, .. } if revision == "v9"), "{error}");
}

#[tokio::test]
async fn a_newer_commit_takes_the_place_of_the_old_one_whole() {
    let world = World::new();
    world.pull(REPOSITORY, None).await.unwrap();
    let config = std::fs::read_to_string(demo().join("config.json")).unwrap() + "\n";
    world.hub.change("config.json", config.clone());
    let pulled = world.pull(REPOSITORY, None).await.unwrap();
    assert!(!pulled.was_there);
    assert_eq!(std::fs::read_to_string(world.target().join("config.json")).unwrap(), config);
    assert_eq!(std::fs::read_dir(world.models.path()).unwrap().count(), 1, "the old one is gone");
}

#[tokio::test]
async fn a_folder_that_was_not_fetched_is_left_alone() {
    let world = World::new();
    std::fs::create_dir(world.target()).unwrap();
    std::fs::write(world.target().join("mine"), "mine").unwrap();
    let error = world.pull(REPOSITORY, None).await.unwrap_err();
    assert!(matches!(error, HubError::Taken { .. }), "{error}");
    assert!(world.target().join("mine").exists());
}

#[tokio::test]
async fn two_at_once_do_not_write_the_same_file() {
    let world = World::new();
    world.hub.misbehave(Failures { delay_ms: 2, ..Failures::default() });
    let (one, two) = tokio::join!(world.pull(REPOSITORY, None), world.pull(REPOSITORY, None));
    let outcomes = [one, two];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(HubError::Busy { .. }))), "{outcomes:?}");
    assert_whole(&world.target());
}

#[tokio::test]
async fn a_hub_that_is_not_there_is_named() {
    let settings =
        HubSettings { endpoint: "http://127.0.0.1:9".parse().unwrap(), token: None, first_pause: Duration::ZERO };
    let models = tempfile::tempdir().unwrap();
    let hub = Hub::new(&settings).unwrap();
    let error = pull(&hub, &"small".parse().unwrap(), models.path(), &mut |_| ()).await.unwrap_err();
    assert!(error.to_string().starts_with("127.0.0.1:9 cannot be reached"), "{error}");
}
