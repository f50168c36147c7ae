//! Invalid input: each error gets a clear response, and no other job is affected.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::client::{Client, JOBS, problem};
use crate::speech::assert_transcribed;
use crate::system::{System, model, program};
use crate::webhook_receiver::WebhookReceiver;
use crate::{media_site, speech};

/// An id that no job has.
const UNKNOWN: &str = "0197a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f";
/// The largest upload that the system of these tests accepts, in bytes.
const MAX_UPLOAD_BYTES: usize = 1024 * 1024;

#[tokio::test]
async fn each_error_gets_a_clear_response_and_other_jobs_continue() {
    let largest = MAX_UPLOAD_BYTES.to_string();
    let system = System::start_with(&[("YTCAPTION_API__MAX_UPLOAD_BYTES", &largest)]).await;
    let client = Client::for_system(&system);
    let good = client.submit_url(&media_site::url("/video.mp4")).await;
    tokio::join!(
        invalid_fields(&client),
        invalid_bodies(&client),
        invalid_queries(&client),
        result_before_the_end(&client),
        invalid_urls(&client),
        invalid_uploads(&client),
        truncated_media(&system, &client),
        a_language_that_the_model_does_not_know(&client),
        silence(&client),
        the_command_line(&system),
    );
    client.completed(&good).await;
    assert_transcribed(&client.result(&good, "txt").await);
    // Rejected requests created no job.
    let all: Value = client.get(&format!("{JOBS}?limit=100&status=pending")).await.json().await.unwrap();
    assert_eq!(all["transcriptions"], json!([]));
}

/// The request must be rejected because of this field; returns the detail of the error.
async fn field_error(client: &Client, job: Value, pointer: &str) -> String {
    let problem = problem(client.post(JOBS, &job).await, 422, "invalid-request").await;
    let errors = problem["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{problem:#}");
    assert_eq!(errors[0]["pointer"], pointer, "{problem:#}");
    errors[0]["detail"].as_str().unwrap().to_owned()
}

async fn invalid_fields(client: &Client) {
    let video = media_site::url("/video.mp4");
    for (job, pointer, hint) in [
        (json!({ "url": "holiday video" }), "/url", "https://example.org"),
        (json!({ "url": "www.example.org/talk" }), "/url", "https://example.org"),
        (json!({ "url": "file:///etc/passwd" }), "/url", "http"),
        (json!({ "url": "ftp://example.org/talk.mp4" }), "/url", "http"),
        (json!({}), "/url", "file"),
        (json!({ "url": 7 }), "/url", "text"),
        (json!({ "url": video, "language": "klingon" }), "/language", "auto"),
        (json!({ "url": video, "priority": "urgent" }), "/priority", "high, normal or low"),
        (json!({ "url": video, "webhook_url": "file:///tmp/hook" }), "/webhook_url", "http"),
        (json!({ "url": video, "webhook": "https://example.org" }), "/webhook", "unknown"),
    ] {
        let said = field_error(client, job.clone(), pointer).await;
        assert!(said.contains(hint), "{job}: {hint:?} is not in {said:?}");
    }
    let many = json!({ "url": "file:///etc/passwd", "language": "klingon", "colour": "blue" });
    let problem = problem(client.post(JOBS, &many).await, 422, "invalid-request").await;
    assert_eq!(problem["errors"].as_array().unwrap().len(), 3, "{problem:#}");
}

async fn invalid_bodies(client: &Client) {
    let send = async |content_type: &str, body: Vec<u8>| {
        let request = client.request(Method::POST, JOBS).header("content-type", content_type);
        request.body(body).send().await.unwrap()
    };
    for body in ["", "{", "url=https://example.org"] {
        problem(send("application/json", body.into()).await, 400, "malformed-body").await;
    }
    for body in ["[]", "\"https://example.org\"", "null"] {
        problem(send("application/json", body.into()).await, 422, "invalid-request").await;
    }
    problem(send("text/plain", b"https://example.org".to_vec()).await, 415, "unsupported-media-type").await;
    let long = format!("{{\"url\": \"https://example.org/{}\"}}", "a".repeat(70_000));
    let large = problem(send("application/json", long.into()).await, 413, "too-large").await;
    assert_eq!(large["limit_bytes"], 64 * 1024);
    problem(send("multipart/form-data; boundary=x", b"no form".to_vec()).await, 400, "malformed-body").await;

    let file = Part::bytes(vec![0; MAX_UPLOAD_BYTES + 1]).file_name("large.mp4");
    let form = Form::new().part("file", file);
    let response = client.request(Method::POST, JOBS).multipart(form).send().await.unwrap();
    assert_eq!(problem(response, 413, "too-large").await["limit_bytes"], MAX_UPLOAD_BYTES);
    let nothing = Form::new().text("language", "en");
    let response = client.request(Method::POST, JOBS).multipart(nothing).send().await.unwrap();
    problem(response, 422, "invalid-request").await;
}

async fn invalid_queries(client: &Client) {
    for path in [format!("{JOBS}/{UNKNOWN}"), format!("{JOBS}/{UNKNOWN}/result")] {
        problem(client.get(&path).await, 404, "job-not-found").await;
    }
    problem(client.post(&format!("{JOBS}/{UNKNOWN}/cancel"), &json!({})).await, 404, "job-not-found").await;
    for path in [
        format!("{JOBS}/7"),
        format!("{JOBS}/{UNKNOWN}/result?format=docx"),
        format!("{JOBS}?limit=1000"),
        format!("{JOBS}?cursor=here"),
        format!("{JOBS}?status=lost"),
        format!("{JOBS}?colour=blue"),
    ] {
        let problem = problem(client.get(&path).await, 400, "invalid-parameter").await;
        assert_eq!(problem["errors"].as_array().unwrap().len(), 1, "{problem:#}");
    }
    problem(client.get("/api/v2/transcriptions").await, 404, "no-such-page").await;
    problem(client.request(Method::DELETE, JOBS).send().await.unwrap(), 405, "method-not-allowed").await;
}

async fn result_before_the_end(client: &Client) {
    let id = client.submit_url(&media_site::url("/slow.mp4")).await;
    client.downloading(&id).await;
    let job = client.job(&id).await.unwrap();
    let early = problem(client.get(&format!("{JOBS}/{id}/result")).await, 409, "job-not-completed").await;
    assert_eq!((&early["job_status"], &early["status_url"]), (&job["status"], &job["status_url"]));
    client.post(&format!("{JOBS}/{id}/cancel"), &json!({})).await;
    client.ended(&id).await;
}

/// Waits until the job has failed and returns the error code; the error message must be a sentence.
async fn failure(client: &Client, id: &str) -> String {
    let job = client.ended(id).await;
    assert_eq!(job["status"], "failed", "{job:#}");
    let message = job["error"]["message"].as_str().unwrap();
    assert!(message.len() > 25 && message.ends_with('.'), "{message:?} says too little");
    let result = problem(client.get(&format!("{JOBS}/{id}/result")).await, 409, "job-failed").await;
    assert_eq!(result["job_error"], job["error"]);
    job["error"]["code"].as_str().unwrap().to_owned()
}

async fn invalid_urls(client: &Client) {
    let outcomes = [
        ("/nothing-here.mp4", "http_404"),
        ("/page-without-video", "no_video"),
        ("/text.mp4", "not_media"),
        ("/no-audio.mp4", "no_audio_track"),
        ("/empty.mp4", "empty_file"),
        ("/cut-off.mp4", "truncated_media"),
    ];
    futures::future::join_all(outcomes.map(async |(path, code)| {
        let id = client.submit_url(&media_site::url(path)).await;
        assert_eq!(failure(client, &id).await, code, "{path}");
    }))
    .await;
}

async fn invalid_uploads(client: &Client) {
    let outcomes = [
        ("text.mp4", media_site::text(), "not_media"),
        ("no-audio.mp4", media_site::no_audio(), "no_audio_track"),
        ("cut-off.mp4", media_site::cut_off(), "truncated_media"),
    ];
    futures::future::join_all(outcomes.map(async |(name, content, code)| {
        let id = client.upload(name, content.to_vec()).await;
        assert_eq!(failure(client, &id).await, code, "{name}");
    }))
    .await;
    let file = Part::bytes(Vec::new()).file_name("empty.mp4");
    let form = Form::new().part("file", file);
    let response = client.request(Method::POST, JOBS).multipart(form).send().await.unwrap();
    problem(response, 422, "invalid-request").await;
}

/// The part that exists is transcribed, and the client is warned that the media is truncated: in the job, in the stream,
/// on the command line and in the timeline of the job.
async fn truncated_media(system: &System, client: &Client) {
    let ids = [
        client.submit_url(&media_site::url("/cut-short.mp4")).await,
        client.upload("cut-short.mp4", media_site::cut_short().to_vec()).await,
    ];
    for id in ids {
        client.completed(&id).await;
        assert!(client.result(&id, "txt").await.to_lowercase().contains("three red cars"));
        let job = client.job(&id).await.unwrap();
        let warning = job["warning"].as_str().unwrap();
        assert!(warning.contains("its end seems cut off") && warning.ends_with("from the original."), "{warning:?}");
        let stream = client.get(&format!("{JOBS}/{id}/stream")).await.text().await.unwrap();
        let message = format!("data: {}", json!({ "message": warning }));
        assert!(stream.split("\n\n").any(|it| it.contains("event: warning") && it.contains(&message)), "{stream}");
        let timeline = client.get(&format!("{JOBS}/{id}/explain")).await.text().await.unwrap();
        assert!(timeline.contains(warning), "{timeline}");
    }
    let file = system.scratch().join("cut-short.mp4");
    std::fs::write(&file, media_site::cut_short()).unwrap();
    for how in [&["--wait", "--format", "txt"][..], &["--follow"]] {
        let arguments = [&["submit", file.to_str().unwrap()], how].concat();
        let output = tokio::process::Command::from(system.command(&arguments)).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("its end seems cut off"), "{arguments:?}: {said}");
        assert!(String::from_utf8_lossy(&output.stdout).to_lowercase().contains("three red cars"), "{output:?}");
    }
}

/// Whisper knows Icelandic; the demo model does not.
async fn a_language_that_the_model_does_not_know(client: &Client) {
    let request = json!({ "url": media_site::url("/video.mp4"), "language": "is" });
    let answer = client.post(JOBS, &request).await;
    assert_eq!(answer.status(), 422);
    let problem: Value = answer.json().await.unwrap();
    let detail = problem["errors"][0]["detail"].as_str().unwrap();
    assert!(problem["errors"][0]["pointer"] == "/language" && detail.contains("en, pt"), "{problem}");
}

async fn silence(client: &Client) {
    let ids = [
        client.submit_url(&media_site::url("/silence.mp4")).await,
        client.upload("silence.mp4", media_site::silence().to_vec()).await,
    ];
    for id in ids {
        client.completed(&id).await;
        let result: Value = serde_json::from_str(&client.result(&id, "json").await).unwrap();
        assert_eq!(result["segments"], json!([]));
        assert_eq!(client.result(&id, "txt").await.trim(), "");
        assert_eq!(client.result(&id, "vtt").await.trim(), "WEBVTT");
    }
}

async fn the_command_line(system: &System) {
    let text = system.scratch().join("text.mp4");
    std::fs::write(&text, media_site::text()).unwrap();
    let text = text.to_str().unwrap();
    for (arguments, code, hint) in [
        (&["submit", "no-such-file.mp4"][..], 1, "no file"),
        (&["submit", "ftp://example.org/talk.mp4"], 1, "http://"),
        (&["submit", text, "--language", "klingon"], 1, "`klingon`"),
        (&["submit", text, "--wait"], 3, "not_media"),
        (&["submit", text, "--wait", "--format", "docx"], 2, "docx"),
    ] {
        let output = tokio::process::Command::from(system.command(arguments)).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(hint), "{arguments:?}: {hint:?} is not in {said:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    }
}

/// Unless a setting allows it, private addresses are not connected to: neither by number, nor by name, nor for a webhook.
#[tokio::test]
async fn private_addresses_are_refused_unless_allowed() {
    let system = System::start_with(&[("YTCAPTION_NETWORK__ALLOW", "")]).await;
    let client = Client::for_system(&system);
    for url in [
        "http://127.0.0.1/talk.mp4",
        "http://localhost:8080/talk.mp4",
        "http://talks.localhost/talk.mp4",
        "http://[::1]/talk.mp4",
        "http://[::ffff:127.0.0.1]/talk.mp4",
        "http://0x7f000001/talk.mp4",
        "http://10.1.2.3/talk.mp4",
        "http://192.168.1.1/talk.mp4",
        "http://169.254.169.254/latest/meta-data/",
        "http://0.0.0.0/talk.mp4",
    ] {
        let said = field_error(&client, json!({ "url": url }), "/url").await;
        assert!(said.contains("network.allow") || said.contains("private"), "{url}: {said}");
        let webhook = json!({ "url": "https://example.org/talk.mp4", "webhook_url": url });
        field_error(&client, webhook, "/webhook_url").await;
    }
    a_name_that_resolves_to_a_private_address(&client).await;
    // Uploads need no connection.
    let id = client.upload("talk.mp4", speech::video().to_vec()).await;
    client.completed(&id).await;
}

/// The workers resolve host names: the download worker that of the media, the notify worker that of the webhook.
async fn a_name_that_resolves_to_a_private_address(client: &Client) {
    let Some(name) = own_name() else { return };
    let receiver = WebhookReceiver::start().await;
    let [video, webhook] =
        [media_site::url("/video.mp4"), receiver.url("inside")].map(|url| url.replace("127.0.0.1", &name));
    let id = client.submit(&json!({ "url": video, "webhook_url": webhook })).await;
    assert_eq!(failure(client, &id).await, "private_address");
    let job = client.wait_until(&id, |job| job["webhook"]["status"] == "abandoned").await;
    assert_eq!(job["webhook"]["attempts"], 1);
    assert_eq!(receiver.requests("inside").len(), 0);
}

/// A name other than `localhost` of this machine, from `/etc/hosts`, if there is one.
fn own_name() -> Option<String> {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let lines = hosts.lines().filter(|line| line.starts_with("127.") || line.starts_with("::1"));
    let mut names = lines.flat_map(|line| line.split_whitespace().skip(1));
    names.find(|name| !name.starts_with("localhost") && !name.starts_with('#')).map(str::to_owned)
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// With a directory that does not exist, or one whose weights are truncated, both commands fail and name the model.
#[test]
fn a_model_that_cannot_be_used_is_named() {
    // When the test runs as root, Postgres runs as another user, who must be able to enter the directory.
    let permissions = Permissions::from_mode(0o711);
    let directory = tempfile::Builder::new().permissions(permissions).tempdir().unwrap();
    let broken = directory.path().join("broken");
    std::fs::create_dir(&broken).unwrap();
    for entry in std::fs::read_dir(model()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), broken.join(entry.file_name())).unwrap();
    }
    let weights = broken.join("model.bin");
    let whole = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    let video = directory.path().join("talk.mp4");
    std::fs::write(&video, speech::video()).unwrap();

    for model in ["broken", "missing"].map(|name| directory.path().join(name)) {
        let mut transcribe = program();
        transcribe.arg("transcribe").arg(&video);
        let mut up = program();
        up.args(["up", "--listen", "127.0.0.1:0", "--data-dir"]).arg(directory.path().join("data"));
        for command in [&mut transcribe, &mut up] {
            let output = command.arg("--model").arg(&model).output().unwrap();
            let said = text(&output);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains(model.to_str().unwrap()), "{said}");
        }
    }
}
