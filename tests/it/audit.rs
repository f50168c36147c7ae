//! The history of a job can be queried afterwards: explained, listed, replayed, and exported to another store.

use std::process::Output;
use std::time::Instant;

use serde_json::{Value, json};
use ytcaption_testing::Postgres;

use crate::client::{Client, JOB_TIMEOUT};
use crate::history::History;
use crate::media_site;
use crate::system::{System, program};
use crate::webhook_receiver::WebhookReceiver;

/// An id that no job has.
const UNKNOWN_JOB: &str = "0199a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f";

#[tokio::test]
async fn the_history_of_a_job_can_be_queried() {
    let system = System::start().await;
    let (client, receiver) = (Client::for_system(&system), WebhookReceiver::start().await);
    let job = client.submit(&json!({ "url": media_site::url("/page"), "webhook_url": receiver.url("hook") })).await;
    client.completed(&job).await;
    receiver.wait_for("hook", 1).await;
    let completed = CompletedJob { system, job };
    let exported = completed.exported_when_final().await;
    completed.is_explained().await;
    completed.is_audited().await;
    completed.is_replayed().await;
    completed.rejects_invalid_arguments().await;
    completed.is_imported_into_another_store(&exported).await;
}

/// A system with one completed job whose webhook was delivered.
struct CompletedJob {
    system: System,
    job: String,
}

impl CompletedJob {
    /// Runs the program, which must succeed; returns its standard output.
    async fn stdout(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.stdout(arguments).await).unwrap()
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        output(self.system.command(arguments)).await
    }

    /// The export of the whole store, once the delivery of the webhook is recorded and sealed.
    async fn exported_when_final(&self) -> String {
        let deadline = Instant::now() + JOB_TIMEOUT;
        loop {
            let exported = self.stdout(&["events", "export"]).await;
            let events = event_lines(&exported);
            // Until all events are sealed, the next export may have one more seal.
            let sealed = exported.lines().rev().nth(1).is_some_and(|line| line.starts_with("{\"seal\""));
            if events.iter().any(|event| event.contains("WebhookDelivered")) && sealed {
                return exported;
            }
            assert!(Instant::now() < deadline, "the delivery is not in the export:\n{exported}");
        }
    }

    async fn is_explained(&self) {
        let said = self.stdout(&["explain", &self.job]).await;
        for part in
            ["is completed", "client:anonymous", "submitted:", "download, attempt 1", "accepted it with HTTP 204"]
        {
            assert!(said.contains(part), "{part:?} is not in:\n{said}");
        }
        let timeline = self.json(&["explain", &self.job, "--json"]).await;
        assert_eq!(timeline["trace_id"].as_str().unwrap().len(), 32);
        let stored = History::new(self.system.database_url()).events(&self.job).await;
        let counted: u64 = timeline["entries"].as_array().unwrap().iter().map(|e| e["events"].as_u64().unwrap()).sum();
        assert_eq!(counted, stored.len() as u64 + 1, "every event of the job, and that of its delivery");
    }

    async fn is_audited(&self) {
        let lines = self.stdout(&["audit", "--job", &self.job, "--json"]).await;
        let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events[0]["event_type"], "JobCreated");
        assert_eq!(events.last().unwrap()["aggregate_type"], "delivery");
        let correlation = events[0]["metadata"]["correlation_id"].as_str().unwrap();
        let csv = self.stdout(&["audit", "--correlation", correlation, "--format", "csv"]).await;
        assert_eq!(
            csv.lines().count(),
            events.len() + 1,
            "all events have one correlation id, and there is a header line:\n{csv}"
        );
        let workers = self.stdout(&["audit", "--actor", "worker:download", "--since", "1h"]).await;
        assert!(workers.contains("AudioDownloaded") && !workers.contains("ChunkTranscribed"), "{workers}");
        let nothing = self.run(&["audit", "--type", "NeverHappened"]).await;
        assert!(nothing.status.success() && nothing.stdout.is_empty());
        assert!(String::from_utf8_lossy(&nothing.stderr).contains("no event matches"));
        let newest = self.stdout(&["events", "tail", "-n", "1", "--no-follow", "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&newest).unwrap()["event_type"], "WebhookDelivered");
        let shown = self.json(&["events", "show", events[0]["metadata"]["event_id"].as_str().unwrap(), "--json"]).await;
        assert_eq!(shown, json!([events[0]]));
    }

    async fn is_replayed(&self) {
        let first = self.json(&["replay", "job", &self.job, "--at", "1", "--json"]).await;
        assert_eq!((&first["version"], &first["aggregate"]["status"]), (&json!(1), &json!("pending")));
        let now = self.json(&["replay", "job", &self.job, "--json"]).await;
        assert_eq!(
            (&now["view"]["status"], &now["view"]["webhook_status"]),
            (&json!("completed"), &json!("delivered"))
        );
        let created = first["recorded_at"].as_str().unwrap();
        assert_eq!(self.json(&["replay", "job", &self.job, "--at", created, "--json"]).await, first);
        let changes = self.stdout(&["replay", "diff", &self.job, "1", "2"]).await;
        assert!(changes.contains("/status") && changes.contains("\"pending\" -> \"downloading\""), "{changes}");
    }

    async fn rejects_invalid_arguments(&self) {
        for (arguments, code, said) in [
            (&["explain", UNKNOWN_JOB][..], 1, "there is no job"),
            (&["events", "show", UNKNOWN_JOB], 1, "no job and no event"),
            (&["replay", "job", &self.job, "--at", "999"], 1, "has no version 999"),
            (&["replay", "job", &self.job, "--at", "2020-01-01T00:00:00Z"], 1, "did not exist at 2020"),
            (&["replay", "job", &self.job, "--at", "yesterday"], 2, "neither a version"),
            (&["explain", "not-an-id"], 2, "invalid value"),
            (&["audit", "--since", "soon"], 2, "names no time"),
            (&["events", "import", "/nowhere.jsonl"], 1, "cannot read /nowhere.jsonl"),
        ] {
            let output = self.run(arguments).await;
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
            assert!(error.contains(said), "{arguments:?}: {error}");
        }
    }

    async fn is_imported_into_another_store(&self, exported: &str) {
        let file = self.system.scratch().join("events.jsonl");
        let file_name = file.to_str().unwrap();
        let summary = self.json(&["events", "export", file_name, "--json"]).await;
        assert_eq!(summary["events"], event_lines(exported).len());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), exported);
        let existing = self.run(&["events", "export", file_name]).await;
        assert!(!existing.status.success(), "an export never overwrites a file");

        let occupied = self.run(&["events", "import", file_name]).await;
        let error = String::from_utf8_lossy(&occupied.stderr).into_owned();
        assert!(!occupied.status.success() && error.contains("the store is not empty"), "{error}");

        let copy = Postgres::shared().new_database();
        let with = |arguments: &[&str]| {
            let mut command = program();
            command.args(arguments).env("DATABASE_URL", &copy);
            command
        };
        // An export with a missing line is rejected and the line is named; then the complete export is imported.
        let gap = self.system.scratch().join("gap.jsonl");
        let mut lines: Vec<&str> = exported.lines().collect();
        let of_job = |line: &&str| line.starts_with("{\"aggregate_type\":\"job\"");
        let missing = lines.windows(2).position(|pair| pair.iter().all(of_job)).unwrap();
        lines.remove(missing);
        std::fs::write(&gap, lines.join("\n") + "\n").unwrap();
        let refused = output(with(&["events", "import", gap.to_str().unwrap()])).await;
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && error.contains(&format!("line {}: a gap", missing + 1)), "{error}");
        assert!(error.contains("nothing was imported"), "{error}");
        let imported = output(with(&["events", "import", file_name])).await;
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        let again = output(with(&["events", "export"])).await;
        assert_eq!(String::from_utf8(again.stdout).unwrap(), exported);
        let explained = output(with(&["explain", &self.job])).await;
        assert_eq!(String::from_utf8(explained.stdout).unwrap(), self.stdout(&["explain", &self.job]).await);
    }
}

/// The lines of an export that are events.
fn event_lines(exported: &str) -> Vec<&str> {
    exported.lines().filter(|line| line.starts_with("{\"aggregate_type\"")).collect()
}

async fn output(command: std::process::Command) -> Output {
    tokio::process::Command::from(command).output().await.unwrap()
}
