//! A system is backed up while jobs run and restored as a new one, with another Postgres and an empty nats-server: ended
//! jobs are unchanged, the others run to their end, and each webhook is delivered once.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use ytcaption_eventstore::seal::{SealingKey, note};
use ytcaption_testing::Postgres;

use crate::client::{Client, JOB_TIMEOUT};
use crate::history::{History, names};
use crate::stalled_site::StalledSite;
use crate::system::{System, program};

/// The events in a backup.
const EVENTS: &str = "database/events.copy";
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
    let key = taken["signed_by"].as_str().unwrap();
    unsafe_restores_are_rejected(&backup, key, directory.path()).await;
    a_backup_of_somebody_else_is_rejected(&backup, key, directory.path()).await;
    a_changed_backup_makes_the_database_execute_nothing(&backup, directory.path()).await;
    the_dump_holds_no_plaintext(&backup, &stalled);
    a_backup_without_data_keys_is_restored_erased(&backup, key, directory.path()).await;

    let restored = System::restored(&backup, key).await;
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

async fn unsafe_restores_are_rejected(backup: &Path, key: &str, directory: &Path) {
    let rejected = async |backup: &Path, data: &str, database: Option<&str>, why: &str| {
        let mut restore = program();
        restore.arg("restore").arg(backup).args(["--trust", key]).arg("--data-dir").arg(directory.join(data));
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
    let events = std::fs::read(backup.join(EVENTS)).unwrap();
    std::fs::write(corrupt.join(EVENTS), &events[..events.len() - 1]).unwrap();
    rejected(&corrupt, "new", None, "events.copy in the backup is not what was backed up").await;
    std::fs::remove_file(corrupt.join(EVENTS)).unwrap();
    rejected(&corrupt, "new", None, "the backup lacks database/events.copy").await;
}

/// The signature is compared with a key that does not come from the backup, before anything else.
async fn a_backup_of_somebody_else_is_rejected(backup: &Path, key: &str, directory: &Path) {
    let rejected = async |backup: &Path, arguments: &[&str], why: &str| {
        let data = directory.join("untrusting");
        let mut restore = program();
        restore.arg("restore").arg(backup).args(arguments).arg("--data-dir").arg(&data);
        let output = output(restore).await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(why), "{why}: {error}");
        assert!(!data.join("postgres").exists(), "nothing was restored");
    };
    rejected(backup, &[], "nothing here says whose backups to trust").await;
    let id = key.split('+').nth(1).unwrap();
    rejected(backup, &["--trust", id], "is not a public key").await;

    let changed = directory.join("changed");
    copy_all(backup, &changed);
    replace_file(&changed, EVENTS, b"");
    rejected(&changed, &["--trust", key], "was changed after the backup was signed").await;
    let another = SealingKey::generate().unwrap();
    sign(&changed, &another);
    rejected(&changed, &["--trust", key], "is not signed with a key that is trusted here").await;
    std::fs::remove_file(changed.join("manifest.json.sig")).unwrap();
    rejected(&changed, &["--trust", key], "the backup is not signed").await;

    for (from, to, why) in [
        (EVENTS, "../backup/x", "names a file outside the backup"),
        (EVENTS, "database/pg_proc.copy", "contains database/pg_proc.copy, which no backup has"),
        ("\"ytcaption_backup\": 2", "\"ytcaption_backup\": 1", "this version restores form 2 only"),
    ] {
        let manifest = std::fs::read_to_string(backup.join("manifest.json")).unwrap();
        std::fs::write(changed.join("manifest.json"), manifest.replace(from, to)).unwrap();
        sign(&changed, &another);
        rejected(&changed, &["--trust", &another.verifying_key().to_string()], why).await;
        rejected(&changed, &["--unverified"], why).await;
    }
}

/// Even restored without a look at its signature, a backup is data: no statement in it is executed, and the schema is that of
/// this program.
async fn a_changed_backup_makes_the_database_execute_nothing(backup: &Path, directory: &Path) {
    let (hostile, proof) = (directory.join("hostile"), directory.join("executed"));
    copy_all(backup, &hostile);
    let script = format!(
        "\\.\nCREATE FUNCTION owned() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;\n\
         CREATE TRIGGER owned BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION owned();\n\
         COPY events FROM PROGRAM 'touch {0}';\n\\! touch {0}\n",
        proof.display()
    );
    for (case, (content, is_restored)) in [
        ([std::fs::read(backup.join(EVENTS)).unwrap(), script.clone().into_bytes()].concat(), true),
        (script.replacen("\\.\n", "", 1).into_bytes(), false),
    ]
    .into_iter()
    .enumerate()
    {
        replace_file(&hostile, EVENTS, &content);
        let url = tokio::task::spawn_blocking(|| Postgres::shared().new_database()).await.unwrap();
        let mut restore = program();
        restore.arg("restore").arg(&hostile).args(["--unverified", "--json"]).env("DATABASE_URL", &url);
        restore.arg("--data-dir").arg(directory.join(format!("hostile-{case}")));
        let output = output(restore).await;
        assert_eq!(output.status.success(), is_restored, "{}", String::from_utf8_lossy(&output.stderr));
        if is_restored {
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!((&report["signature_verified"], &report["verified"]["trusted"]), (&json!(false), &json!(false)));
        }
        assert!(!proof.exists(), "a statement of the backup was executed");
        let history = History::new(&url);
        let owned = "SELECT (SELECT count(*) FROM pg_proc WHERE proname = 'owned')
                          + (SELECT count(*) FROM pg_trigger WHERE tgname = 'owned')";
        assert_eq!(sqlx::query_scalar::<_, i64>(owned).fetch_one(history.pool()).await.unwrap(), 0);
    }
}

/// Replaces a file of a backup and describes the new one in its manifest.
fn replace_file(backup: &Path, path: &str, content: &[u8]) {
    std::fs::write(backup.join(path), content).unwrap();
    let manifest = backup.join("manifest.json");
    let mut described: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    let entry = described["files"].as_array_mut().unwrap().iter_mut().find(|entry| entry["path"] == path).unwrap();
    entry["bytes"] = content.len().into();
    entry["sha256"] = format!("{:x}", Sha256::digest(content)).into();
    std::fs::write(manifest, serde_json::to_vec(&described).unwrap()).unwrap();
}

/// Signs the manifest of a backup as it is now.
fn sign(backup: &Path, key: &SealingKey) {
    let digest = Sha256::digest(std::fs::read(backup.join("manifest.json")).unwrap());
    let signature = note::sign(&format!("ytcaption/backup/v1\n{digest:x}\n"), key);
    std::fs::write(backup.join("manifest.json.sig"), signature).unwrap();
}

/// Read models are plaintext, so they are not in it: they are made again from the events.
fn the_dump_holds_no_plaintext(backup: &Path, stalled: &StalledSite) {
    let files = std::fs::read_dir(backup.join("database")).unwrap();
    let text: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert!(text.contains("JobCompleted"), "the events are in it");
    assert!(!text.contains(&stalled.video_url("a")), "a URL can be read in the dump");
    let mode = std::fs::metadata(backup.join(EVENTS)).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

/// Without its data keys a backup is restored, and says what cannot be read.
async fn a_backup_without_data_keys_is_restored_erased(backup: &Path, key: &str, directory: &Path) {
    let erased = directory.join("without-keys");
    copy_all(backup, &erased);
    std::fs::remove_file(erased.join("data-keys.jsonl")).unwrap();
    let data = directory.join("restored-without-keys");
    let mut restore = program();
    restore.arg("restore").arg(&erased).args(["--trust", key]).arg("--json").arg("--data-dir").arg(&data);
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
