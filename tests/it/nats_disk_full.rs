//! nats-server runs out of disk for a moment. From then on it stores nothing, although it answers: readiness says so, and
//! `up` restarts it. Every job that was accepted meanwhile completes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use nix::unistd::geteuid;
use serde_json::Value;

use crate::client::{Client, JOB_TIMEOUT};
use crate::media_site;
use crate::system::System;

/// A file system of three megabytes; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(directory: PathBuf) -> Self {
        std::fs::create_dir_all(&directory).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m,mode=777", "none"]).arg(&directory));
        Self(directory)
    }

    /// Takes every free byte.
    fn fill(&self) {
        let output = format!("of={}", self.filler().display());
        let filled = Command::new("dd").args(["if=/dev/zero", "bs=4k"]).arg(output).output().unwrap();
        assert!(!filled.status.success(), "it ends when the disk is full");
    }

    fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server may still have a file open.
        run(Command::new("umount").arg("--lazy").arg(&self.0));
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_nats_server_that_stores_nothing_is_noticed_and_restarted() {
    if !geteuid().is_root() {
        eprintln!("only root can mount a small file system; not tested");
        return;
    }
    let mut disk = None;
    let store = |data: &Path| disk = Some(SmallDisk::mount(data.join("nats/store")));
    let system = System::start_prepared(store).await;
    let (client, disk) = (Client::for_system(&system), disk.unwrap());
    let first = client.submit_url(&media_site::url("/video.mp4")).await;
    client.completed(&first).await;
    disk.fill();
    let mut jobs = vec![first];
    // One message may still fit into what the server has reserved.
    for _ in 0..4 {
        jobs.push(client.submit_url(&media_site::url("/video.mp4")).await);
    }
    until(&client, "unavailable").await;
    disk.free();
    // The disk has space again, and the server still refuses.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    until(&client, "ready").await;
    for job in &jobs {
        client.completed(job).await;
    }
    assert!(system.log().contains("restarting nats-server"), "{}", system.log());
}

/// Waits for this status of the readiness probe, which must be due to the dispatch of events.
async fn until(client: &Client, status: &str) {
    let deadline = Instant::now() + JOB_TIMEOUT;
    loop {
        let readiness: Value = client.get("/health/ready").await.json().await.unwrap();
        if readiness["status"] == status {
            let expected = if status == "ready" { "up" } else { "down" };
            assert_eq!(readiness["dependencies"]["dispatch"]["status"], expected, "{readiness}");
            return;
        }
        assert!(Instant::now() < deadline, "{readiness}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
