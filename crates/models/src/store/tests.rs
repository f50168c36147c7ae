#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use super::*;

const FILES: [&str; 4] = ["model.bin", "config.json", "vocabulary.json", "tokenizer.json"];

fn demo() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/demo/model"))
}

/// A folder with so many models, called `a`, `b`, `c`, …; the first is the default.
fn folder_of(names: &[&str]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for name in names {
        let folder = home.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        for file in FILES {
            std::fs::copy(demo().join(file), folder.join(file)).unwrap();
        }
    }
    home
}

fn size() -> u64 {
    Entry::of(&demo()).info(&ModelSettings::default()).unwrap().footprint.bytes(1)
}

/// A store over `home` with room for so many models of one replica.
fn store(home: &Path, room: u64) -> ModelStore {
    let catalogue = Catalogue::new(home, Entry::of(&home.join("a")));
    let model = ModelSettings { verify_checksums: true, ..ModelSettings::default() };
    ModelStore::new(StoreSettings { catalogue, model, memory_bytes: size() * room })
}

#[tokio::test]
async fn the_least_recently_used_model_makes_room() {
    let home = folder_of(&["a", "b", "c"]);
    let store = store(home.path(), 2);
    for name in ["a", "b", "a", "c"] {
        store.get(name).await.unwrap();
    }
    assert_eq!(store.loaded(), ["a", "c"]);
}

#[tokio::test]
async fn a_model_in_use_stays_and_who_needs_its_room_waits() {
    let home = folder_of(&["a", "b"]);
    let store = Arc::new(store(home.path(), 1));
    let used = store.get("a").await.unwrap();
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.get("b").await.map(drop) }
    });
    tokio::time::sleep(LOOK_AGAIN * 3).await;
    assert_eq!(store.loaded(), ["a"]);
    // One who comes later does not overtake, or `b` would never have its turn.
    let mut later = Box::pin(store.get("a"));
    assert!(futures::poll!(&mut later).is_pending());
    drop(used);
    waiting.await.unwrap().unwrap();
    drop(later.await.unwrap());
    assert_eq!(store.loaded(), ["a"]);
}

#[tokio::test]
async fn two_who_ask_at_once_share_one_model() {
    let home = folder_of(&["a"]);
    let store = store(home.path(), 1);
    let (first, second) = tokio::join!(store.get("a"), store.get("a"));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(first.is(&second));
    assert_eq!(store.loaded(), ["a"]);
}

#[tokio::test]
async fn one_who_stops_waiting_leaves_the_model_to_others() {
    let home = folder_of(&["a"]);
    let store = store(home.path(), 1);
    let mut impatient = Box::pin(store.get("a"));
    while futures::poll!(&mut impatient).is_pending() && store.slots().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(impatient);
    store.get("a").await.unwrap();
}

#[tokio::test]
async fn a_broken_model_is_an_error_and_the_others_work() {
    let home = folder_of(&["a", "cut", "torn", "empty", "other"]);
    let weights = |name: &str| home.path().join(name).join("model.bin");
    let bytes = std::fs::read(weights("cut")).unwrap();
    std::fs::write(weights("cut"), &bytes[..bytes.len() / 2]).unwrap();
    let sum = "0".repeat(64);
    std::fs::write(home.path().join("torn/SHA256SUMS"), format!("{sum}  model.bin\n")).unwrap();
    std::fs::remove_file(weights("empty")).unwrap();
    std::fs::write(home.path().join("other/config.json"), "{").unwrap();
    let store = store(home.path(), 5);
    for (name, said) in
        [("cut", "ends too early"), ("torn", "SHA256SUMS"), ("empty", "has no model.bin"), ("other", "config.json")]
    {
        let (one, two) = tokio::join!(store.get(name), store.get(name));
        for error in [one.unwrap_err(), two.unwrap_err()] {
            assert!(matches!(&error, StoreError::Broken { name: named, .. } if named == name), "{error}");
            assert!(error.to_string().contains(said), "{error}");
        }
    }
    store.get("a").await.unwrap();
    assert_eq!(store.loaded(), ["a"]);
    // Mended, it works without a restart.
    std::fs::write(weights("cut"), bytes).unwrap();
    store.get("cut").await.unwrap();
}

#[tokio::test]
async fn an_unknown_model_names_those_there_are() {
    let home = folder_of(&["a", "b"]);
    let error = store(home.path(), 1).get("c").await.unwrap_err();
    assert_eq!(error.to_string(), "there is no model `c`; this server has: a, b");
}

#[tokio::test]
async fn a_model_larger_than_all_may_be_is_an_error_that_says_what_to_do() {
    let home = folder_of(&["a"]);
    let error = store(home.path(), 0).get("a").await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
    assert!(error.to_string().contains("models.memory_mib"), "{error}");
}
