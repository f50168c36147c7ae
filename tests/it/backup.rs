//! A system is backed up while jobs run and restored as a new one, with another Postgres and an empty nats-server: ended
//! jobs are as they were, the others go on to their end, and nobody is told twice.

use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ytcaption_testing::Postgres;

use crate::client::{Client, PATIENCE};
use crate::held::Held;
use crate::history::{History, names};
use crate::system::{System, program};

/// Held while the backup is taken: two are being downloaded, one waits in JetStream for its turn.
const HELD: [&str; 3] = ["a", "b", "c"];

#[tokio::test]
async fn a_restored_system_goes_on_where_the_backup_was_taken() {
    let system = System::start().await;
    let (held, client) = (Held::start().await, Client::of(&system));
    let history = History::at(system.database_url());
    let ended = client.submit(&json!({ "url": held.talk(1), "webhook_url": held.webhook() })).await;
    history.assert_completed_once(&client, &ended, 1).await;
    let mut open = Vec::new();
    for name in HELD {
        open.push(client.submit(&json!({ "url": held.recording(name), "webhook_url": held.webhook() })).await);
    }
    history.until(&open[0], "DownloadStarted", 1).await;
    history.until(&open[1], "DownloadStarted", 1).await;
    let checkpoint = newest_checkpoint(&system).await;
    let (job, captions) = (told(&client, &ended).await, client.result(&ended, "srt").await);

    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let taken = output(system.command(&["backup", backup.to_str().unwrap(), "--json"])).await;
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    let taken: Value = serde_json::from_slice(&taken.stdout).unwrap();
    assert_eq!((&taken["keys"], &taken["blobs_elsewhere"]), (&json!(2), &Value::Null));
    let occupied = output(system.command(&["backup", backup.to_str().unwrap()])).await;
    assert!(!occupied.status.success(), "a backup is never overwritten");
    // The machine is lost, its JetStream with it.
    drop(system);
    is_refused_where_it_could_do_harm(&backup, folder.path()).await;

    let restored = System::restored(&backup).await;
    let (client, history) = (Client::of(&restored), History::at(restored.database_url()));
    held.let_go();
    for job in &open {
        history.assert_completed_once(&client, job, 1).await;
    }
    assert_eq!(told(&client, &ended).await, job);
    assert_eq!(client.result(&ended, "srt").await, captions);
    let told = history.events(&ended).await;
    assert_eq!(names(&told).last(), Some(&"JobCompleted"));
    let mut webhooks = held.webhooks();
    assert_eq!(webhooks.len(), 1 + HELD.len(), "each end was told once");
    webhooks.sort();
    webhooks.dedup();
    assert_eq!(webhooks.len(), 1 + HELD.len());

    // The chain goes on, signed with the same key, and holds what was sealed before the disaster.
    let kept = folder.path().join("checkpoint.txt");
    std::fs::write(&kept, checkpoint).unwrap();
    let verified =
        output(restored.command(&["events", "verify", "--checkpoint", kept.to_str().unwrap(), "--json"])).await;
    let report: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert!(verified.status.success(), "{report:#}");
    assert_eq!((&report["trusted"], &report["findings"]), (&json!(true), &json!([])));
}

/// A job whose webhook was told.
async fn told(client: &Client, job: &str) -> Value {
    client.wait_until(job, |job| job["webhook"]["status"] == "delivered").await
}

/// The newest signed checkpoint, once there is one.
async fn newest_checkpoint(system: &System) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let printed = output(system.command(&["events", "checkpoint"])).await;
        if printed.status.success() {
            return String::from_utf8(printed.stdout).unwrap();
        }
        assert!(Instant::now() < deadline, "{}", String::from_utf8_lossy(&printed.stderr));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn is_refused_where_it_could_do_harm(backup: &Path, folder: &Path) {
    let refused = async |backup: &Path, data: &str, database: Option<&str>, why: &str| {
        let mut restore = program();
        restore.arg("restore").arg(backup).arg("--data-dir").arg(folder.join(data));
        restore.envs(database.map(|url| ("DATABASE_URL", url)));
        let output = output(restore).await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(why), "{why}: {error}");
    };
    refused(&folder.join("nowhere"), "new", None, "is no complete backup").await;
    std::fs::create_dir(folder.join("used")).unwrap();
    std::fs::write(folder.join("used/webhook-secret"), "another").unwrap();
    refused(backup, "used", None, "is there already; restore into a new data folder").await;
    std::fs::create_dir_all(folder.join("with-jetstream/nats")).unwrap();
    refused(backup, "with-jetstream", None, "it holds messages of another time").await;
    // The test's own database, once with a table in it.
    let url = tokio::task::spawn_blocking(|| Postgres::shared().new_database()).await.unwrap();
    sqlx::query("CREATE TABLE something (else_ text)").execute(History::at(&url).pool()).await.unwrap();
    refused(backup, "external", Some(&url), "the database is not empty").await;

    let damaged = folder.join("damaged");
    copy_all(backup, &damaged);
    let dump = std::fs::read(backup.join("database.dump")).unwrap();
    std::fs::write(damaged.join("database.dump"), &dump[..dump.len() - 1]).unwrap();
    refused(&damaged, "new", None, "database.dump in the backup is not what was backed up").await;
    std::fs::remove_file(damaged.join("database.dump")).unwrap();
    refused(&damaged, "new", None, "the backup lacks database.dump").await;
    let manifest = std::fs::read_to_string(backup.join("manifest.json")).unwrap();
    std::fs::write(damaged.join("manifest.json"), manifest.replace("database.dump", "../backup/x")).unwrap();
    refused(&damaged, "new", None, "names a file outside the backup").await;
}

fn copy_all(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

async fn output(command: std::process::Command) -> Output {
    tokio::process::Command::from(command).output().await.unwrap()
}
