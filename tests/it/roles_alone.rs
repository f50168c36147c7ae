//! Each role as a process of its own, most of them twice, around shared Postgres, NATS and S3: they share the work, and
//! nothing is done twice.

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
use crate::receiver::Receiver;
use crate::s3::S3Server;
use crate::speech::assert_heard;
use crate::system::{model, program};
use crate::{site, speech};

/// What is run, by its words on the command line; the API writes its address to its log.
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
/// Jobs at the same time.
const JOBS: usize = 6;
/// How long a process may take to start, and to end when it is told to.
const PROCESS_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// A process of the installation; killed when dropped.
struct Process {
    name: String,
    child: Child,
    folder: TempDir,
}

impl Process {
    fn start(arguments: &[&str], settings: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = program();
        // A folder of its own, as on a machine of its own.
        command.args(arguments).arg("--data-dir").arg(folder.path().join("data"));
        command.envs(settings.iter().map(|(name, value)| (name, value))).current_dir(folder.path());
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Self { name: arguments.join(" "), child, folder }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Waits until the process has said something that holds `words`; returns what follows them on that line.
    async fn says(&self, words: &str) -> String {
        let deadline = Instant::now() + PROCESS_LIMIT;
        loop {
            if let Some((_, rest)) = self.log().split_once(words) {
                return rest.lines().next().unwrap_or_default().trim().to_owned();
            }
            assert!(Instant::now() < deadline, "`{}` does not say {words:?}", self.name);
            tokio::time::sleep(POLL).await;
        }
    }

    /// Tells it to end (SIGTERM) and waits until it has, without a fault.
    async fn ends(&mut self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM).unwrap();
        let deadline = Instant::now() + PROCESS_LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "`{}` does not end", self.name);
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
async fn copies_of_the_roles_share_the_jobs_and_do_each_once() {
    let (nats, database) =
        tokio::join!(async { tokio::task::spawn_blocking(NatsServer::start).await.unwrap() }, async {
            tokio::task::spawn_blocking(|| Postgres::shared().new_database()).await.unwrap()
        },);
    let (s3, receiver) = (S3Server::start().await, Receiver::start().await);
    let mut settings = vec![
        ("DATABASE_URL", database.clone()),
        ("NATS_URL", nats.url()),
        ("YTCAPTION_NETWORK__ALLOW", "127.0.0.1/32".to_owned()),
        ("YTCAPTION_TRANSCRIPTION__MODEL", model().to_str().unwrap().to_owned()),
        ("YTCAPTION_WEBHOOK__SECRET", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBfl3hYbQ1yE=".to_owned()),
        // One at a time, so that a single worker cannot take everything.
        ("YTCAPTION_DOWNLOAD__CONCURRENCY", "1".to_owned()),
        ("YTCAPTION_TRANSCRIPTION__CONCURRENCY", "1".to_owned()),
    ];
    settings.extend(s3.settings());
    // All at once, the first of them on an empty database.
    let mut processes: Vec<Process> = PROCESSES.iter().map(|arguments| Process::start(arguments, &settings)).collect();
    let client = Client::at(processes[0].says("API ").await.trim_end_matches(crate::client::JOBS));
    for worker in processes.iter().filter(|process| process.name.starts_with("worker")) {
        worker.says("ready for work").await;
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
            assert_eq!(event.payload["attempt"], 1, "nothing is done twice: {event:?}");
            workers.insert(event.payload["worker"].as_str().unwrap().to_owned());
        }
        let audio = events.iter().find(|event| event.event_type == "AudioDownloaded").unwrap();
        assert!(s3.object(audio.payload["audio"]["key"].as_str().unwrap()).is_file(), "the audio lies in S3");
    }
    for stage in ["download@", "transcribe@"] {
        let names = workers.iter().filter(|worker| worker.starts_with(stage));
        assert_eq!(names.count(), 2, "both copies work: {workers:?}");
    }
    for n in 0..JOBS {
        assert_eq!(receiver.told(&format!("job-{n}")).len(), 1, "job {n} was told once");
    }
    let leaders = processes.iter().filter(|process| process.log().contains("the relay leads"));
    assert_eq!(leaders.count(), 1, "one relay leads, the other stands by");
    futures::future::join_all(processes.iter_mut().map(Process::ends)).await;
}

/// Submits a recording, as an address or as a file, and waits until it is completed and told.
async fn one_job(client: &Client, receiver: &Receiver, number: usize) -> String {
    let webhook_url = receiver.url(&format!("job-{number}"));
    let id = if number.is_multiple_of(2) {
        client.submit(&json!({ "url": site::url("/video.mp4"), "webhook_url": webhook_url })).await
    } else {
        let form = Form::new().text("webhook_url", webhook_url);
        client.upload_with(form, "talk.mp4", speech::video().to_vec()).await
    };
    client.completed(&id).await;
    assert_heard(&client.result(&id, "txt").await);
    receiver.wait_for(&format!("job-{number}"), 1).await;
    id
}
