//! `up` manages a Postgres and a nats-server: it starts them, restarts them, replaces those of a killed run, stops them.

use std::time::{Duration, Instant};

use reqwest::StatusCode;

use crate::system::{System, model};

/// How long a killed server may be unreachable.
const RECOVERY: Duration = Duration::from_secs(20);

async fn readiness(system: &System) -> Option<StatusCode> {
    reqwest::get(system.url("/health/ready")).await.ok().map(|response| response.status())
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + RECOVERY;
    while !holds().await {
        assert!(Instant::now() < deadline, "timed out after {RECOVERY:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn until_ready(system: &System) {
    until("every dependency is up", async || readiness(system).await == Some(StatusCode::OK)).await;
}

#[tokio::test]
async fn killed_servers_come_back_at_the_same_address() {
    let system = System::start().await;
    until_ready(&system).await;

    let (nats, postgres) = (system.nats_pid(), system.postgres_pid());
    assert!(nats.is_some() && postgres.is_some());
    system.kill_nats();
    until("a new nats-server runs", async || system.nats_pid().is_some_and(|pid| Some(pid) != nats)).await;
    until_ready(&system).await;
    system.kill_postgres();
    until("a new Postgres runs", async || system.postgres_pid().is_some_and(|pid| Some(pid) != postgres)).await;
    until_ready(&system).await;
}

#[tokio::test]
async fn sigterm_stops_all_servers() {
    let mut system = System::start().await;
    until_ready(&system).await;
    let status = system.terminate().await;
    assert!(status.success(), "{status}");
    assert_eq!((system.nats_pid(), system.postgres_pid()), (None, None));
    assert!(!system.data_dir().join("ytcaption.json").exists());
}

#[tokio::test]
async fn a_killed_up_leaves_servers_that_the_next_one_replaces() {
    let mut system = System::start().await;
    let (nats, postgres) = (system.nats_pid(), system.postgres_pid());
    system.kill();
    assert_eq!((system.nats_pid(), system.postgres_pid()), (nats, postgres), "they outlive a killed `up`");
    system.restart().await;
    until_ready(&system).await;
    assert_ne!((system.nats_pid(), system.postgres_pid()), (nats, postgres));
}

#[tokio::test]
async fn a_second_up_on_the_same_data_directory_is_rejected() {
    let system = System::start().await;
    let second = system.command(&["up", "--listen", "127.0.0.1:0"]).arg("--model").arg(model()).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("another `ytcaption up`"), "{said}");
    // The first is not affected.
    until_ready(&system).await;
}
