//! A job whose data key is deleted: its personal content is gone everywhere, and nothing fails for that.

use std::process::Output;
use std::time::Instant;

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use ytcaption_testing::Postgres;

use crate::client::{Client, JOB_TIMEOUT, JOBS};
use crate::media_site;
use crate::system::{System, program};

/// What an erased text reads as.
const ERASED: &str = "about:erased";

#[tokio::test]
async fn a_deleted_key_erases_a_job_from_every_view_and_breaks_no_proof() {
    let system = System::start().await;
    let client = Client::for_system(&system);
    let media = media_site::url("/video.mp4");
    let (erased, kept) = (client.submit_url(&media).await, client.submit_url(&media).await);
    for job in [&erased, &kept] {
        client.completed(job).await;
    }
    let text = client.result(&kept, "txt").await;
    let word = text.split_whitespace().next().unwrap();
    sealed(&system).await;
    assert!(stdout(&system, &["audit", "--job", &erased, "--json"]).await.contains(&media));

    let mut owner = PgConnection::connect(system.owner_url()).await.unwrap();
    let deleted = sqlx::query("DELETE FROM data_keys WHERE id = $1").bind(&erased).execute(&mut owner).await.unwrap();
    assert_eq!(deleted.rows_affected(), 1);

    // Rebuilt from the events alone, the read models are what a replay of each event gives.
    stdout(&system, &["replay", "projection", "jobs"]).await;
    stdout(&system, &["replay", "verify"]).await;
    let parked = stdout(&system, &["replay", "parked", "--json"]).await;
    assert_eq!(parked.trim(), "", "no event is parked");
    for arguments in [
        &["explain", &erased][..],
        &["audit", "--job", &erased, "--json"],
        &["replay", "job", &erased, "--json"],
        &["replay", "job", &erased, "--at", "2", "--json"],
        &["events", "show", &erased, "--json"],
    ] {
        let shown = stdout(&system, arguments).await;
        assert!(!shown.contains(&media) && !shown.contains(word), "{arguments:?}: {shown}");
        assert!(shown.contains(ERASED), "{arguments:?}: {shown}");
    }

    // The chain is as whole as before, in the store and in an export; the export has no key of the job either.
    let verified: Value = serde_json::from_str(&stdout(&system, &["events", "verify", "--json"]).await).unwrap();
    assert_eq!((&verified["trusted"], &verified["findings"]), (&json!(true), &json!([])));
    let export = system.scratch().join("events.jsonl");
    let export = export.to_str().unwrap();
    stdout(&system, &["events", "export", export]).await;
    let keys = std::fs::read_to_string(format!("{export}.keys")).unwrap();
    assert!(keys.contains(&kept) && !keys.contains(&erased), "{keys}");
    let offline = stdout(&system, &["events", "verify", "--from-file", export, "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&offline).unwrap()["findings"], json!([]));
    let plain = stdout(&system, &["events", "export", "--decrypt"]).await;
    let of_erased: Vec<&str> = plain.lines().filter(|line| line.contains(&erased)).collect();
    assert!(!of_erased.is_empty() && of_erased.iter().all(|line| !line.contains(&media) && !line.contains(word)));
    let imported = Postgres::shared().new_database();
    let mut import = program();
    import.args(["events", "import", export]).env("DATABASE_URL", &imported);
    succeeded(output(import).await);

    // The other job, and what clients see.
    assert_eq!(client.result(&kept, "txt").await, text);
    let shown = client.wait_until(&erased, |job| job["erased"] == true).await;
    assert_eq!((&shown["status"], &shown["source"]["name"]), (&json!("completed"), &json!(ERASED)));
    assert_eq!(client.result(&erased, "txt").await.trim(), "");
    let list = client.get(JOBS).await.text().await.unwrap();
    assert!(list.contains(ERASED) && list.contains(&media), "{list}");
}

/// Returns once every event is sealed.
async fn sealed(system: &System) {
    let deadline = Instant::now() + JOB_TIMEOUT;
    loop {
        let report = output(system.command(&["events", "verify", "--json"])).await;
        let report: Value = serde_json::from_slice(&report.stdout).unwrap();
        if report["events"] == report["sealed"] {
            return;
        }
        assert!(Instant::now() < deadline, "not sealed: {report:#}");
    }
}

async fn stdout(system: &System, arguments: &[&str]) -> String {
    succeeded(output(system.command(arguments)).await)
}

#[track_caller]
fn succeeded(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn output(command: std::process::Command) -> Output {
    tokio::process::Command::from(command).output().await.unwrap()
}
