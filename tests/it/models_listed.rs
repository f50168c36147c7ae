//! `GET /api/v1/models`: the models that a job may name, from a server that has the models and from one that has none.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::header::{ETAG, IF_NONE_MATCH};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, JOB_TIMEOUT, problem};
use crate::system::{System, model, program};

const MODELS: &str = "/api/v1/models";

fn copy(home: &TempDir, name: &str) {
    let directory = home.path().join(name);
    std::fs::create_dir(&directory).unwrap();
    for file in std::fs::read_dir(model()).unwrap() {
        let file = file.unwrap().path();
        std::fs::copy(&file, directory.join(file.file_name().unwrap())).unwrap();
    }
}

async fn get_models(client: &Client, known: &str) -> Response {
    client.request(Method::GET, MODELS).header(IF_NONE_MATCH, known).send().await.unwrap()
}

#[tokio::test]
async fn the_list_of_models_follows_the_directory() {
    let home = tempfile::tempdir().unwrap();
    copy(&home, "second");
    let system = System::start_with(&[("YTCAPTION_MODELS__DIRECTORY", home.path().to_str().unwrap())]).await;
    let client = Client::for_system(&system);
    let first = client.get(MODELS).await;
    let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
    let list: Value = first.json().await.unwrap();
    let names: Vec<&Value> = list["models"].as_array().unwrap().iter().map(|model| &model["name"]).collect();
    assert_eq!((&list["default"], names), (&json!("demo"), vec![&json!("demo"), &json!("second")]));
    let size = std::fs::metadata(home.path().join("second/model.bin")).unwrap().len();
    let second = &list["models"][1];
    assert_eq!((&second["weights_bytes"], &second["default"]), (&json!(size), &json!(false)));
    assert_eq!((&second["languages"], &second["precision"]), (&json!(["en", "pt"]), &json!("int8")));
    assert_eq!(get_models(&client, &tag).await.status(), StatusCode::NOT_MODIFIED);

    // Models that are broken in each way, added while the system runs.
    for name in ["bare", "cut", "garbage", "mixed"] {
        copy(&home, name);
    }
    let file = |name: &str| home.path().join(name);
    std::fs::remove_file(file("bare/model.bin")).unwrap();
    File::options().write(true).open(file("cut/model.bin")).unwrap().set_len(size - 1).unwrap();
    std::fs::write(file("garbage/model.bin"), "a text that is long enough").unwrap();
    std::fs::write(file("mixed/vocabulary.json"), "[\"a\"]").unwrap();
    let changed = get_models(&client, &tag).await;
    assert_eq!(changed.status(), StatusCode::OK, "the list has changed");
    let list: Value = changed.json().await.unwrap();
    let models = list["models"].as_array().unwrap();
    let broken = models.iter().filter(|model| model["usable"] == false);
    let broken: Vec<_> =
        broken.map(|model| [&model["name"], &model["problem"]].map(|text| text.as_str().unwrap())).collect();
    for ([name, problem], (expected, reason)) in broken.iter().zip([
        ("bare", "the model directory bare has no model.bin"),
        ("cut", "cut/model.bin is broken: "),
        ("garbage", "garbage/model.bin is broken: "),
        ("mixed", "mixed/vocabulary.json is broken: "),
    ]) {
        assert_eq!(*name, expected);
        assert!(problem.contains(reason), "{problem}");
        assert!(
            !problem.contains(home.path().to_str().unwrap()),
            "the path of the directory is not for clients: {problem}"
        );
    }
    assert_eq!((broken.len(), models.len()), (4, 6));
    assert_eq!(client.get("/health/ready").await.status(), StatusCode::OK);
}

/// `ytcaption serve` without reachable servers; killed when dropped.
struct Serve(Child);

impl Serve {
    async fn start(home: &TempDir, settings: impl FnOnce(&mut Command)) -> (Self, Client) {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = program();
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data-dir"]).arg(home.path().join("data"));
        command.env("DATABASE_URL", "postgres://unreachable@127.0.0.1:9/none").env("NATS_URL", "nats://127.0.0.1:9");
        settings(&mut command);
        let child = command.current_dir(home.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let serve = Self(child.spawn().unwrap());
        let deadline = Instant::now() + JOB_TIMEOUT;
        let base_url = format!("http://127.0.0.1:{port}");
        while reqwest::get(format!("{base_url}/health/live")).await.is_err() {
            assert!(Instant::now() < deadline, "the API does not respond");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        (serve, Client::new(&base_url))
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_server_without_models_says_so() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("models");
    let settings = |command: &mut Command| {
        command.env("YTCAPTION_MODELS__DIRECTORY", &directory).env("YTCAPTION_TRANSCRIPTION__MODEL", "large");
    };
    let (_serve, client) = Serve::start(&home, settings).await;
    let unseen = problem(client.get(MODELS).await, 404, "models-not-seen").await;
    let detail = unseen["detail"].as_str().unwrap();
    assert!(detail.contains("`ytcaption models list`") && detail.contains("models.directory"), "{detail}");
    assert!(!unseen.to_string().contains(home.path().to_str().unwrap()), "{unseen}");

    // The directory appears while the server runs, without the default model.
    std::fs::create_dir(&directory).unwrap();
    problem(client.get(MODELS).await, 404, "models-not-seen").await;
    copy(&home, "models/small");
    let list: Value = client.get(MODELS).await.json().await.unwrap();
    assert_eq!(list["default"], "large");
    let (large, small) = (&list["models"][0], &list["models"][1]);
    assert_eq!((&large["name"], &large["default"], &large["usable"]), (&json!("large"), &json!(true), &json!(false)));
    assert!(large["problem"].as_str().unwrap().contains("no model directory at large"), "{large}");
    assert_eq!((&small["name"], &small["usable"]), (&json!("small"), &json!(true)));
}
