//! A store with an event of a newer program and one with corrupt metadata: each is reported for what it is, and all other
//! jobs continue.

use std::process::{Command, Output};

use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use uuid::Uuid;
use ytcaption_eventstore::IdGenerator;

use crate::client::{Client, events, problem};
use crate::media_site;
use crate::speech::assert_transcribed;
use crate::system::{System, program};

const JOBS: &str = "/api/v1/transcriptions";

fn id() -> Uuid {
    IdGenerator::system().new_id()
}

/// Records the first event of a job, with this event version.
async fn record(store: &mut PgConnection, version: &str, correlation: &str) -> String {
    let job = id().to_string();
    let payload = json!({
        "type": "JobCreated", "account": "local", "priority": "normal",
        "source": { "kind": "url", "url": media_site::url("/video.mp4") },
        "options": { "kind": "transcription", "language": "en", "task": "transcribe" },
    });
    let metadata = json!({
        "event_id": id(), "occurred_at": "2026-01-31T14:05:00Z", "route": "normal", "data_key": job, "account": "local",
        "actor": "client:anonymous", "correlation_id": correlation,
    });
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
         VALUES ('job', $1, 1, 'JobCreated', $2, $3, $4)",
    )
    .bind(&job)
    .bind(version)
    .bind(payload)
    .bind(metadata)
    .execute(store)
    .await
    .unwrap();
    job
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_newer_program_concern_their_job_only() {
    let system = System::start().await;
    let client = Client::for_system(&system);
    let mut store = PgConnection::connect(system.database_url()).await.unwrap();
    let correlation = id().to_string();
    let future = record(&mut store, "9", &correlation).await;
    let corrupt = record(&mut store, "1", "none").await;

    another_job_is_completed(&system, &client).await;
    a_job_requests_a_translation(&system).await;
    an_unreadable_job_is_reported_everywhere(&system, &client, &future, &corrupt).await;
    a_newer_schema_is_rejected(&system).await;
}

async fn another_job_is_completed(system: &System, client: &Client) {
    let job = client.submit(&json!({ "url": media_site::url("/video.mp4"), "language": "en" })).await;
    let shown = client.completed(&job).await;
    assert_eq!((&shown["language"], &shown["task"]), (&json!("en"), &json!("transcribe")));
    assert_transcribed(&client.result(&job, "txt").await);
    let first = events(system.database_url(), "job", &job).await.remove(0);
    assert_eq!((first.event_version.as_str(), &first.payload["options"]["language"]), ("2", &json!("en")));
}

async fn a_job_requests_a_translation(system: &System) {
    let wav = system.scratch().join("gatos.wav");
    let spoken = Command::new("espeak-ng")
        .args(["-v", "pt-br", "-s", "160", "-w"])
        .arg(&wav)
        .arg("Eu vejo três gatos.")
        .status();
    assert!(spoken.unwrap().success());
    let mut submit = system.command(&["submit", "--language", "pt", "--task", "translate", "--format", "json"]);
    submit.args(["--hotwords", "cats", "--word-timestamps", "--wait"]).arg(&wav);
    let output = run(submit).await;
    assert!(output.status.success(), "{}", said(&output));
    let captions: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(captions["segments"][0]["text"], "I see three cats.");
}

async fn an_unreadable_job_is_reported_everywhere(system: &System, client: &Client, future: &str, corrupt: &str) {
    let newer = "this program knows this event up to version 2; a newer version of the program probably wrote it";
    let refusal =
        problem(client.post(&format!("{JOBS}/{future}/cancel"), &json!({})).await, 500, "unreadable-job").await;
    assert!(refusal["detail"].as_str().unwrap().contains(&format!("event 1 of job {future}")), "{refusal}");
    let explained = run(system.command(&["explain", future])).await;
    assert!(
        explained.status.success() && said(&explained).contains(&format!("version 9 cannot be read: {newer}")),
        "{}",
        said(&explained)
    );
    let replayed = run(system.command(&["replay", "job", future, "--at", "1"])).await;
    assert!(!replayed.status.success() && said(&replayed).contains("cannot be read"), "{}", said(&replayed));
    let audited = run(system.command(&["audit", "--job", corrupt])).await;
    assert!(
        said(&audited).contains("[event metadata: `correlation_id` is missing or malformed]"),
        "{}",
        said(&audited)
    );
    let parked = said(&run(system.command(&["replay", "parked", "--json"])).await);
    assert!(parked.contains(newer) && parked.contains("`correlation_id` is missing or malformed"), "{parked}");
    assert!(system.log().contains("the message waits for a worker that can read it"), "the message is kept");
}

async fn a_newer_schema_is_rejected(system: &System) {
    let mut owner = PgConnection::connect(system.owner_url()).await.unwrap();
    let migration = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                VALUES (9999, 'from the future', true, '', 0)";
    sqlx::query(migration).execute(&mut owner).await.unwrap();
    let with_store = |arguments: &[&str]| {
        let mut command = program();
        command.args(arguments).env("DATABASE_URL", system.database_url());
        command
    };
    for arguments in [&["migrate"][..], &["audit"], &["events", "export"]] {
        let output = run(with_store(arguments)).await;
        let refused = "prepared by a newer version of this program: its schema has step 9999";
        assert!(!output.status.success() && said(&output).contains(refused), "{arguments:?}: {}", said(&output));
    }
}
