#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use super::*;
use crate::testing::model_dir;

const FILES: [&str; 4] = ["model.bin", "config.json", "vocabulary.json", "tokenizer.json"];

/// A directory with models of these names; the first is the default.
fn directory_with(names: &[&str]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for name in names {
        let dir = home.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        for file in FILES {
            std::fs::copy(model_dir().join(file), dir.join(file)).unwrap();
        }
    }
    home
}

fn size() -> u64 {
    let info = ModelEntry::new(&model_dir()).info(Checksums::Skip).unwrap();
    footprint(&info, &ModelSettings::default()).bytes(1)
}

/// A cache over `home` with memory for `capacity` models of one replica.
fn cache(home: &Path, capacity: u64) -> ModelCache {
    let catalogue = Catalogue::new(home, ModelEntry::new(&home.join("a")));
    let model = ModelSettings { verify_checksums: true, ..ModelSettings::default() };
    ModelCache::new(CacheSettings { catalogue, model, memory_bytes: size() * capacity })
}

#[tokio::test]
async fn the_least_recently_used_model_is_unloaded() {
    let home = directory_with(&["a", "b", "c"]);
    let cache = cache(home.path(), 2);
    for name in ["a", "b", "a", "c"] {
        cache.get(name).await.unwrap();
    }
    assert_eq!(cache.loaded(), ["a", "c"]);
}

#[tokio::test]
async fn a_model_in_use_stays_and_a_caller_that_needs_its_memory_waits() {
    let home = directory_with(&["a", "b"]);
    let cache = Arc::new(cache(home.path(), 1));
    let used = cache.get("a").await.unwrap();
    let waiting = tokio::spawn({
        let cache = Arc::clone(&cache);
        async move { cache.get("b").await.map(drop) }
    });
    tokio::time::sleep(POLL_INTERVAL * 3).await;
    assert_eq!(cache.loaded(), ["a"]);
    // A later caller waits behind it, or `b` would never be loaded.
    let mut later = Box::pin(cache.get("a"));
    assert!(futures::poll!(&mut later).is_pending());
    drop(used);
    waiting.await.unwrap().unwrap();
    drop(later.await.unwrap());
    assert_eq!(cache.loaded(), ["a"]);
}

#[tokio::test]
async fn two_callers_at_once_share_one_model() {
    let home = directory_with(&["a"]);
    let cache = cache(home.path(), 1);
    let (first, second) = tokio::join!(cache.get("a"), cache.get("a"));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(first.is(&second));
    assert_eq!(cache.loaded(), ["a"]);
}

#[tokio::test]
async fn a_caller_that_stops_waiting_leaves_the_model_to_others() {
    let home = directory_with(&["a"]);
    let cache = cache(home.path(), 1);
    let mut dropped = Box::pin(cache.get("a"));
    while futures::poll!(&mut dropped).is_pending() && cache.slots().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(dropped);
    cache.get("a").await.unwrap();
}

#[tokio::test]
async fn a_broken_model_is_an_error_and_the_others_work() {
    let home = directory_with(&["a", "cut", "torn", "empty", "other"]);
    let weights = |name: &str| home.path().join(name).join("model.bin");
    let bytes = std::fs::read(weights("cut")).unwrap();
    std::fs::write(weights("cut"), &bytes[..bytes.len() / 2]).unwrap();
    let sum = "0".repeat(64);
    std::fs::write(home.path().join("torn/SHA256SUMS"), format!("{sum}  model.bin\n")).unwrap();
    std::fs::remove_file(weights("empty")).unwrap();
    std::fs::write(home.path().join("other/config.json"), "{").unwrap();
    let cache = cache(home.path(), 5);
    for (name, expected) in
        [("cut", "ends too early"), ("torn", "SHA256SUMS"), ("empty", "has no model.bin"), ("other", "config.json")]
    {
        let (one, two) = tokio::join!(cache.get(name), cache.get(name));
        for error in [one.unwrap_err(), two.unwrap_err()] {
            assert!(matches!(&error, CacheError::Broken { name: broken, .. } if broken == name), "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
    cache.get("a").await.unwrap();
    assert_eq!(cache.loaded(), ["a"]);
    // Repaired, it works without a restart.
    std::fs::write(weights("cut"), bytes).unwrap();
    cache.get("cut").await.unwrap();
}

#[tokio::test]
async fn the_error_of_an_unknown_model_lists_the_usable_ones() {
    let home = directory_with(&["a", "b"]);
    let error = cache(home.path(), 1).get("c").await.unwrap_err();
    assert_eq!(error.to_string(), "there is no model `c`; this server has: a, b");
}

#[tokio::test]
async fn a_model_larger_than_the_limit_is_an_error_that_says_what_to_do() {
    let home = directory_with(&["a"]);
    let error = cache(home.path(), 0).get("a").await.unwrap_err();
    assert!(matches!(error, CacheError::TooLarge { .. }), "{error}");
    assert!(error.to_string().contains("models.memory_mib"), "{error}");
}
