//! Changes to stored events are detected, and the role of the services cannot make them.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Instant;

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::client::{Client, JOB_TIMEOUT};
use crate::media_site;
use crate::system::System;

#[tokio::test]
async fn changes_to_events_are_detected() {
    let system = System::start().await;
    let client = Client::for_system(&system);
    let job = client.submit_url(&media_site::url("/video.mp4")).await;
    client.completed(&job).await;
    let sealed = SealedStore::new(system).await;
    sealed.the_services_cannot_change_events().await;
    sealed.an_export_is_verified_offline(&job).await;
    sealed.a_wrong_key_or_checkpoint_is_reported().await;
    // Last, because it changes the events.
    sealed.a_change_by_the_superuser_is_detected(&job).await;
}

/// A system whose events are all sealed, with an export, a checkpoint and the public key that were saved elsewhere.
struct SealedStore {
    system: System,
    /// An export from before any change.
    export: PathBuf,
    checkpoint: PathBuf,
    public_key: String,
}

impl SealedStore {
    async fn new(system: System) -> Self {
        let deadline = Instant::now() + JOB_TIMEOUT;
        loop {
            let verified = run(&system, &["events", "verify", "--json"]).await;
            let report: Value = serde_json::from_slice(&verified.stdout).unwrap();
            if report["events"] == report["sealed"] && report["events"].as_u64() >= Some(6) {
                assert!(verified.status.success(), "{report:#}");
                assert_eq!((&report["trusted"], &report["findings"]), (&json!(true), &json!([])));
                break;
            }
            assert!(Instant::now() < deadline, "not sealed: {report:#}");
        }
        let (export, checkpoint) = (system.scratch().join("events.jsonl"), system.scratch().join("checkpoint.txt"));
        assert!(run(&system, &["events", "export", text(&export)]).await.status.success());
        let printed = run(&system, &["events", "checkpoint"]).await;
        std::fs::write(&checkpoint, &printed.stdout).unwrap();
        let printed: Value =
            serde_json::from_slice(&run(&system, &["events", "checkpoint", "--json"]).await.stdout).unwrap();
        let public_key = printed["public_key"].as_str().unwrap().to_owned();
        Self { system, export, checkpoint, public_key }
    }

    /// The findings of `events verify` with these arguments, as JSON; its exit code must be 1 if there are any, else 0.
    async fn findings(&self, arguments: &[&str]) -> Vec<Value> {
        let all = [&["events", "verify", "--json"], arguments].concat();
        let output = run(&self.system, &all).await;
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let findings = report["findings"].as_array().unwrap().clone();
        assert_eq!(output.status.code(), Some(i32::from(!findings.is_empty())), "{report:#}");
        findings
    }

    async fn the_services_cannot_change_events(&self) {
        let mut service = PgConnection::connect(self.system.database_url()).await.unwrap();
        for sql in ["UPDATE events SET payload = '{}'", "DELETE FROM events", "TRUNCATE events", "DROP TABLE events"] {
            let refusal = sqlx::query(sql).execute(&mut service).await.unwrap_err().to_string();
            assert!(refusal.contains("permission denied") || refusal.contains("must be owner"), "{sql}: {refusal}");
        }
    }

    async fn an_export_is_verified_offline(&self, job: &str) {
        let file = text(&self.export);
        assert_eq!(
            self.findings(&["--from-file", file, "--checkpoint", text(&self.checkpoint)]).await,
            Vec::<Value>::new()
        );
        let exported = std::fs::read_to_string(&self.export).unwrap();
        let changed = self.system.scratch().join("changed.jsonl");
        std::fs::write(&changed, exported.replacen("\"language\": \"auto\"", "\"language\": \"pt\"", 1)).unwrap();
        let found = self.findings(&["--from-file", text(&changed)]).await;
        assert_eq!((&found[0]["finding"], &found[0]["number"]), (&json!("changed"), &json!(1)));
        assert_eq!((&found[0]["parts"], &found[0]["event"]["aggregate_id"]), (&json!(["payload"]), &json!(job)));
        let refused = run(&self.system, &["events", "verify", "--from-file", "/nowhere.jsonl"]).await;
        assert!(said(&refused).contains("cannot read /nowhere.jsonl"), "{}", said(&refused));
    }

    async fn a_wrong_key_or_checkpoint_is_reported(&self) {
        let checkpoint = text(&self.checkpoint);
        let trusted = ["--public-key", &self.public_key, "--checkpoint", checkpoint];
        assert_eq!(self.findings(&trusted).await, Vec::<Value>::new());
        // The example key of the signed note specification.
        let foreign = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let found = self.findings(&["--public-key", foreign]).await;
        assert_eq!((&found[0]["finding"], &found[0]["defect"]), (&json!("seal"), &json!("foreign_key")));
        let forged = self.system.scratch().join("forged.txt");
        let note = std::fs::read_to_string(checkpoint).unwrap();
        std::fs::write(&forged, note.replacen("\nsealed_at 2", "\nsealed_at 3", 1)).unwrap();
        let found = self.findings(&["--checkpoint", text(&forged)]).await;
        assert_eq!(found, [json!({ "finding": "untrusted_checkpoint" })]);
        let refused = run(&self.system, &["events", "verify", "--public-key", "not-a-key"]).await;
        assert!(said(&refused).contains("is not a public key of seals"), "{}", said(&refused));
    }

    async fn a_change_by_the_superuser_is_detected(&self, job: &str) {
        let mut owner = PgConnection::connect(self.system.owner_url()).await.unwrap();
        let refusal = sqlx::query("DELETE FROM events").execute(&mut owner).await.unwrap_err().to_string();
        assert!(refusal.contains("never changed"), "{refusal}");
        for sql in [
            "SET session_replication_role = replica",
            "UPDATE events SET metadata = metadata || '{\"actor\": \"client:somebody else\"}' WHERE sequence = 1",
            "DELETE FROM events WHERE event_type = 'JobCompleted'",
        ] {
            sqlx::query(sql).execute(&mut owner).await.unwrap();
        }
        let found = self.findings(&[]).await;
        assert_eq!(found.len(), 2, "{found:#?}");
        assert_eq!((&found[0]["number"], &found[0]["parts"]), (&json!(1), &json!(["metadata"])));
        assert!(found[0]["cursor"].as_str().unwrap().contains('-'), "its cursor in the database");
        assert_eq!((&found[1]["finding"], &found[1]["event"]["aggregate_id"]), (&json!("removed"), &json!(job)));
        let printed = run(&self.system, &["events", "verify"]).await;
        let printed = String::from_utf8(printed.stdout).unwrap();
        assert!(printed.contains("- changed: number 1 (at ") && printed.contains("- removed: number "), "{printed}");
        assert!(printed.contains("2 findings."), "{printed}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn run(system: &System, arguments: &[&str]) -> Output {
    tokio::process::Command::from(system.command(arguments)).output().await.unwrap()
}
