//! Each role as a process of its own, most of them twice, with shared Postgres, NATS and S3: the processes share the work,
//! and no step is done twice.

use std::collections::HashSet;
use std::fs::File;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::multipart::Form;
use serde_json::json;
use tempfile::TempDir;
use ytcaption_testing::{NatsServer, Postgres};

use crate::client::{Client, events};
use crate::s3::S3Server;
use crate::speech::assert_transcribed;
use crate::system::{model, program};
use crate::webhook_receiver::WebhookReceiver;
use crate::{media_site, speech};

/// The processes, by their arguments; the API writes its URL to its log.
const PROCESSES: [&[&str]; 12] = [
    &["serve", "--listen", "127.0.0.1:0"],
    &["relay"],
    &["relay"],
    &["project"],
    &["project"],
    &["worker", "download"],
    &["worker", "download"],
    &["worker", "transcribe"],
    &["worker", "transcribe"],
    &["worker", "notify"],
    &["worker", "notify"],
    &["seal"],
];
/// Number of concurrent jobs.
const JOBS: usize = 6;
/// How long a process may take to start, and to end after SIGTERM.
const PROCESS_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// A process of the installation; killed when dropped.
struct Process {
    name: String,
    child: Child,
    directory: TempDir,
}

impl Process {
    fn start(arguments: &[&str], settings: &[(&str, String)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = File::create(directory.path().join("log")).unwrap();
        let mut command = program();
        // Its own directory, as if it ran on a machine of its own.
        command.args(arguments).arg("--data-dir").arg(directory.path().join("data"));
        command.envs(settings.iter().map(|(name, value)| (name, value))).current_dir(directory.path());
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Self { name: arguments.join(" "), child, directory }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Waits until the log contains `words`; returns the rest of that line.
    async fn wait_for_log(&self, words: &str) -> String {
        let deadline = Instant::now() + PROCESS_TIMEOUT;
        loop {
            if let Some((_, rest)) = self.log().split_once(words) {
                return rest.lines().next().unwrap_or_default().trim().to_owned();
            }
            assert!(Instant::now() < deadline, "the log of `{}` does not contain {words:?}", self.name);
            tokio::time::sleep(POLL).await;
        }
    }

    /// Sends SIGTERM and waits until the process has ended, which must be without an error.
    async fn terminate(&mut self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM).unwrap();
        let deadline = Instant::now() + PROCESS_TIMEOUT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "`{}` has not ended", self.name);
            tokio::time::sleep(POLL).await;
        };
        assert!(status.success(), "`{}`: {status}", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the log of `{}` ---\n{}", self.name, self.log());
        }
    }
}

#[tokio::test]
async fn two_processes_of_each_role_share_the_jobs_and_do_each_step_once() {
    let (nats, database) =
        tokio::join!(async { tokio::task::spawn_blocking(NatsServer::start).await.unwrap() }, async {
            tokio::task::spawn_blocking(|| Postgres::shared().new_database()).await.unwrap()
        },);
    let (s3, receiver) = (S3Server::start().await, WebhookReceiver::start().await);
    let mut settings = vec![
        ("DATABASE_URL", database.clone()),
        ("NATS_URL", nats.url()),
        ("YTCAPTION_NETWORK__ALLOW", "127.0.0.1/32".to_owned()),
        ("YTCAPTION_TRANSCRIPTION__MODEL", model().to_str().unwrap().to_owned()),
        ("YTCAPTION_WEBHOOK__SECRET", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBfl3hYbQ1yE=".to_owned()),
        // One at a time, so that a single worker cannot take all jobs.
        ("YTCAPTION_DOWNLOAD__CONCURRENCY", "1".to_owned()),
        ("YTCAPTION_TRANSCRIPTION__CONCURRENCY", "1".to_owned()),
    ];
    settings.extend(s3.settings());
    // All start at once, on an empty database.
    let mut processes: Vec<Process> = PROCESSES.iter().map(|arguments| Process::start(arguments, &settings)).collect();
    let client = Client::new(processes[0].wait_for_log("API ").await.trim_end_matches(crate::client::JOBS));
    for worker in processes.iter().filter(|process| process.name.starts_with("worker")) {
        worker.wait_for_log("ready for work").await;
    }

    let jobs = futures::future::join_all((0..JOBS).map(|n| one_job(&client, &receiver, n))).await;
    let mut workers: HashSet<String> = HashSet::new();
    for (n, id) in jobs.iter().enumerate() {
        let events = events(&database, "job", id).await;
        let mut names: Vec<&str> = events.iter().map(|event| event.event_type.as_str()).collect();
        let beside = ["DownloadProgressed", "ChunksPlanned", "ChunkScheduled", "LanguageDetected", "BeamSizeChosen"];
        names.retain(|name| !beside.contains(name));
        names.dedup();
        let once = ["JobCreated", "DownloadStarted", "AudioDownloaded", "ChunkStarted", "ChunkTranscribed"];
        assert_eq!(names[..5], once, "job {n}");
        assert_eq!(names.iter().filter(|name| **name == "JobCompleted").count(), 1, "{names:?}");
        for event in events.iter().filter(|event| event.event_type.ends_with("Started")) {
            assert_eq!(event.payload["attempt"], 1, "a step was done twice: {event:?}");
            workers.insert(event.payload["worker"].as_str().unwrap().to_owned());
        }
        let audio = events.iter().find(|event| event.event_type == "AudioDownloaded").unwrap();
        assert!(s3.object(audio.payload["audio"]["key"].as_str().unwrap()).is_file(), "the audio is not in S3");
    }
    for step in ["download@", "transcribe@"] {
        let names = workers.iter().filter(|worker| worker.starts_with(step));
        assert_eq!(names.count(), 2, "both processes must work: {workers:?}");
    }
    for n in 0..JOBS {
        assert_eq!(receiver.requests(&format!("job-{n}")).len(), 1, "job {n} was not notified once");
    }
    let leaders = processes.iter().filter(|process| process.log().contains("the relay leads"));
    assert_eq!(leaders.count(), 1, "one relay leads, the other waits");
    futures::future::join_all(processes.iter_mut().map(Process::terminate)).await;
}

/// Submits media, by URL or as an upload, and waits until the job is completed and its webhook received.
async fn one_job(client: &Client, receiver: &WebhookReceiver, number: usize) -> String {
    let webhook_url = receiver.url(&format!("job-{number}"));
    let id = if number.is_multiple_of(2) {
        client.submit(&json!({ "url": media_site::url("/video.mp4"), "webhook_url": webhook_url })).await
    } else {
        let form = Form::new().text("webhook_url", webhook_url);
        client.upload_with(form, "talk.mp4", speech::video().to_vec()).await
    };
    client.completed(&id).await;
    assert_transcribed(&client.result(&id, "txt").await);
    receiver.wait_for(&format!("job-{number}"), 1).await;
    id
}
