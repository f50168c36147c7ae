//! A system is backed up while jobs run and restored as a new one, with another Postgres and an empty nats-server: ended
//! jobs are unchanged, the others run to their end, and each webhook is delivered once.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ytcaption_testing::Postgres;

use crate::client::{Client, JOB_TIMEOUT};
use crate::history::{History, names};
use crate::stalled_site::StalledSite;
use crate::system::{System, program};

/// Downloads that stall while the backup is taken: two are in progress, one waits in JetStream.
const STALLED: [&str; 3] = ["a", "b", "c"];

#[tokio::test]
async fn a_restored_system_continues_where_the_backup_was_taken() {
    let system = System::start().await;
    let (stalled, client) = (StalledSite::start().await, Client::for_system(&system));
    let history = History::new(system.database_url());
    let ended = client.submit(&json!({ "url": stalled.talk_url(1), "webhook_url": stalled.webhook_url() })).await;
    history.assert_completed_once(&client, &ended, 1).await;
    let mut open = Vec::new();
    for name in STALLED {
        open.push(
            client.submit(&json!({ "url": stalled.video_url(name), "webhook_url": stalled.webhook_url() })).await,
        );
    }
    history.until(&open[0], "DownloadStarted", 1).await;
    history.until(&open[1], "DownloadStarted", 1).await;
    let checkpoint = newest_checkpoint(&system).await;
    let (job, captions) = (delivered(&client, &ended).await, client.result(&ended, "srt").await);

    let directory = tempfile::tempdir().unwrap();
    let backup = directory.path().join("backup");
    let taken = output(system.command(&["backup", backup.to_str().unwrap(), "--json"])).await;
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    let taken: Value = serde_json::from_slice(&taken.stdout).unwrap();
    assert_eq!((&taken["keys"], &taken["blobs_elsewhere"]), (&json!(2), &Value::Null));
    let occupied = output(system.command(&["backup", backup.to_str().unwrap()])).await;
    assert!(!occupied.status.success(), "a backup is never overwritten");
    // The machine is lost, and its JetStream with it.
    drop(system);
    unsafe_restores_are_rejected(&backup, directory.path()).await;
    the_dump_holds_no_plaintext(&backup, &stalled).await;
    a_backup_without_data_keys_is_restored_erased(&backup, directory.path()).await;

    let restored = System::restored(&backup).await;
    let (client, history) = (Client::for_system(&restored), History::new(restored.database_url()));
    stalled.release();
    for job in &open {
        history.assert_completed_once(&client, job, 1).await;
    }
    assert_eq!(delivered(&client, &ended).await, job);
    assert_eq!(client.result(&ended, "srt").await, captions);
    let events = history.events(&ended).await;
    assert_eq!(names(&events).last(), Some(&"JobCompleted"));
    let mut webhooks = stalled.webhook_ids();
    assert_eq!(webhooks.len(), 1 + STALLED.len(), "each terminal event was delivered once");
    webhooks.sort();
    webhooks.dedup();
    assert_eq!(webhooks.len(), 1 + STALLED.len());

    // The chain continues, signed with the same key, and contains what was sealed before the machine was lost.
    let kept = directory.path().join("checkpoint.txt");
    std::fs::write(&kept, checkpoint).unwrap();
    let verified =
        output(restored.command(&["events", "verify", "--checkpoint", kept.to_str().unwrap(), "--json"])).await;
    let report: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert!(verified.status.success(), "{report:#}");
    assert_eq!((&report["trusted"], &report["findings"]), (&json!(true), &json!([])));
}

/// The job, once its webhook has been delivered.
async fn delivered(client: &Client, job: &str) -> Value {
    client.wait_until(job, |job| job["webhook"]["status"] == "delivered").await
}

/// Waits for a signed checkpoint and returns the newest.
async fn newest_checkpoint(system: &System) -> String {
    let deadline = Instant::now() + JOB_TIMEOUT;
    loop {
        let printed = output(system.command(&["events", "checkpoint"])).await;
        if printed.status.success() {
            return String::from_utf8(printed.stdout).unwrap();
        }
        assert!(Instant::now() < deadline, "{}", String::from_utf8_lossy(&printed.stderr));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn unsafe_restores_are_rejected(backup: &Path, directory: &Path) {
    let rejected = async |backup: &Path, data: &str, database: Option<&str>, why: &str| {
        let mut restore = program();
        restore.arg("restore").arg(backup).arg("--data-dir").arg(directory.join(data));
        restore.envs(database.map(|url| ("DATABASE_URL", url)));
        let output = output(restore).await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(why), "{why}: {error}");
    };
    rejected(&directory.join("nowhere"), "new", None, "is not a complete backup").await;
    std::fs::create_dir(directory.join("used")).unwrap();
    std::fs::write(directory.join("used/webhook-secret"), "another").unwrap();
    rejected(backup, "used", None, "is there already; restore into a new data directory").await;
    std::fs::create_dir_all(directory.join("with-jetstream/nats")).unwrap();
    rejected(backup, "with-jetstream", None, "it holds messages of another time").await;
    // A database of the test's own, with one table in it.
    let url = tokio::task::spawn_blocking(|| Postgres::shared().new_database()).await.unwrap();
    sqlx::query("CREATE TABLE something (else_ text)").execute(History::new(&url).pool()).await.unwrap();
    rejected(backup, "external", Some(&url), "the database is not empty").await;

    let corrupt = directory.join("corrupt");
    copy_all(backup, &corrupt);
    let dump = std::fs::read(backup.join("database.dump")).unwrap();
    std::fs::write(corrupt.join("database.dump"), &dump[..dump.len() - 1]).unwrap();
    rejected(&corrupt, "new", None, "database.dump in the backup is not what was backed up").await;
    std::fs::remove_file(corrupt.join("database.dump")).unwrap();
    rejected(&corrupt, "new", None, "the backup lacks database.dump").await;
    let manifest = std::fs::read_to_string(backup.join("manifest.json")).unwrap();
    std::fs::write(corrupt.join("manifest.json"), manifest.replace("database.dump", "../backup/x")).unwrap();
    rejected(&corrupt, "new", None, "names a file outside the backup").await;
}

/// Read models are plaintext, so they are not in it: they are made again from the events.
async fn the_dump_holds_no_plaintext(backup: &Path, stalled: &StalledSite) {
    let mut text = std::process::Command::new("pg_restore");
    text.args(["--file", "-"]).arg(backup.join("database.dump"));
    let text = String::from_utf8(output(text).await.stdout).unwrap();
    assert!(text.contains("JobCompleted"), "the events are in it");
    assert!(!text.contains(&stalled.video_url("a")), "a URL can be read in the dump");
    let mode = std::fs::metadata(backup.join("database.dump")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

/// Without its data keys a backup is restored, and says what cannot be read.
async fn a_backup_without_data_keys_is_restored_erased(backup: &Path, directory: &Path) {
    let erased = directory.join("without-keys");
    copy_all(backup, &erased);
    std::fs::remove_file(erased.join("data-keys.jsonl")).unwrap();
    let data = directory.join("restored-without-keys");
    let mut restore = program();
    restore.arg("restore").arg(&erased).arg("--json").arg("--data-dir").arg(&data);
    let restored = output(restore).await;
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let report: Value = serde_json::from_slice(&restored.stdout).unwrap();
    assert_eq!(report["data_keys"], json!({ "with_key": 0, "without_key": 1 + STALLED.len() }), "{report}");
    assert_eq!(report["verified"]["findings"], json!([]));
}

fn copy_all(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

async fn output(command: std::process::Command) -> Output {
    tokio::process::Command::from(command).output().await.unwrap()
}
