use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::json;
use ytcaption_models::{Catalogue, ModelEntry};

use super::Api;

const MODELS: &str = "/api/v1/models";

/// A copy of the demo model.
fn copy(into: &Path, name: &str) -> PathBuf {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/demo/model");
    let directory = into.join(name);
    fs::create_dir(&directory).expect("a directory");
    for file in fs::read_dir(demo).expect("the demo model").flatten() {
        fs::copy(file.path(), directory.join(file.file_name())).expect("a file");
    }
    directory
}

#[tokio::test]
async fn a_server_without_models_says_that_it_does_not_know() {
    let api = Api::new().await;
    let problem = api.get(MODELS).await.problem(404, "models-not-seen");
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.contains("models list") && detail.contains("models.directory"), "{detail}");
    assert!(!detail.contains("in this test"), "where it looked is for the log: {detail}");
    api.get(&format!("{MODELS}?name=small")).await.problem(400, "invalid-parameter");
}

#[tokio::test]
async fn models_are_listed_as_they_are_now_and_broken_ones_with_the_reason() {
    let (home, api) = (tempfile::tempdir().expect("a directory"), Api::new().await);
    let default = copy(home.path(), "sound");
    let models = home.path().to_owned();
    let look = move || Ok(Catalogue::new(&models, ModelEntry::new(&default)));
    let api = api.with_models(Arc::new(look));
    let first = api.get(MODELS).await;
    assert_eq!((first.status, first.header("content-type")), (StatusCode::OK, "application/json"));
    assert_eq!(first.header("cache-control"), "private, no-cache");
    let (list, tag) = (first.json(), first.header("etag").to_owned());
    assert_eq!((&list["default"], list["models"].as_array().map(Vec::len)), (&json!("sound"), Some(1)));
    let sound = &list["models"][0];
    assert_eq!((&sound["name"], &sound["default"], &sound["usable"]), (&json!("sound"), &json!(true), &json!(true)));
    assert_eq!((&sound["languages"], &sound["precision"]), (&json!(["en", "pt"]), &json!("int8")));
    assert!(sound["weights_bytes"].as_u64() > Some(100_000), "{sound}");
    let known = [("if-none-match", tag.as_str())];
    assert_eq!(api.get_with(MODELS, &known).await.status, StatusCode::NOT_MODIFIED);

    fs::remove_file(copy(home.path(), "bare").join("model.bin")).expect("it was there");
    fs::write(copy(home.path(), "garbage").join("config.json"), [0xff; 64]).expect("it is written");
    let changed = api.get_with(MODELS, &known).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_ne!(changed.header("etag"), tag);
    let list = changed.json();
    let listed: Vec<_> =
        list["models"].as_array().expect("a list").iter().map(|model| (&model["name"], &model["usable"])).collect();
    let expected =
        [("bare", false), ("garbage", false), ("sound", true)].map(|(name, usable)| (json!(name), json!(usable)));
    assert_eq!(listed, expected.iter().map(|(name, usable)| (name, usable)).collect::<Vec<_>>());
    let problem = list["models"][0]["problem"].as_str().expect("a reason");
    assert!(problem.contains("bare has no model.bin"), "{problem}");
    assert!(!changed.text().contains(&*home.path().to_string_lossy()), "{}", changed.text());
}

#[tokio::test]
async fn a_submission_is_refused_if_the_models_of_the_server_cannot_do_it() {
    let (home, api) = (tempfile::tempdir().expect("a directory"), Api::new().await);
    let default = copy(home.path(), "sound");
    fs::remove_file(copy(home.path(), "bare").join("model.bin")).expect("it was there");
    let models = home.path().to_owned();
    let unseen = json!({"url": "https://example.org/a", "model": "elsewhere", "language": "is"});
    assert_eq!(
        api.post(super::COLLECTION, &unseen).await.status,
        StatusCode::ACCEPTED,
        "nothing is known of the models"
    );
    let api = api.with_models(Arc::new(move || Ok(Catalogue::new(&models, ModelEntry::new(&default)))));
    for (fields, refused, reason) in [
        (json!({"model": "huge"}), "/model", "This server has: bare, sound"),
        (json!({"language": "is"}), "/language", "it knows en, pt"),
        (json!({"model": "sound", "language": "is"}), "/language", "it knows en, pt"),
        (json!({"model": "sound", "language": "pt", "task": "translate"}), "", ""),
        (json!({"model": "bare", "language": "is"}), "", ""),
    ] {
        let mut request = fields.as_object().cloned().expect("an object");
        request.insert("url".into(), json!("https://example.org/a"));
        let answer = api.post(super::COLLECTION, &json!(request)).await;
        if refused.is_empty() {
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{fields}: {answer:?}");
            continue;
        }
        assert_eq!(answer.invalid_fields(), [refused], "{fields}");
        assert!(answer.text().contains(reason), "{fields}: {answer:?}");
    }
    assert_eq!(api.job_count().await, 3);
}
