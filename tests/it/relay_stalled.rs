//! A transaction that stays open, in any database of the Postgres cluster, blocks every reader of the feed. A metric shows
//! it; one line of the log and `doctor` name its session and say how to end it.

use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::client::{Client, JOB_TIMEOUT};
use crate::speech;
use crate::system::System;

const POLL: Duration = Duration::from_millis(200);
const SECRET: &str = "hush-hush";

/// Opens a transaction that has written and leaves it open.
async fn open_transaction(system: &System) -> PgConnection {
    let options: PgConnectOptions = system.database_url().parse().unwrap();
    let mut session = options.application_name("nightly script").connect().await.unwrap();
    for statement in ["BEGIN", &format!("SELECT pg_current_xact_id(), '{SECRET}'")] {
        sqlx::query(statement).execute(&mut session).await.unwrap();
    }
    session
}

/// How long events have waited, from the metrics, in seconds.
async fn horizon_age(client: &Client) -> f64 {
    let text = client.get("/metrics").await.text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("feed_horizon_age_seconds "));
    line.map_or(0.0, |value| value.parse().unwrap())
}

async fn wait_for_age(client: &Client, wanted: impl Fn(f64) -> bool) {
    let deadline = Instant::now() + JOB_TIMEOUT;
    while !wanted(horizon_age(client).await) {
        assert!(Instant::now() < deadline, "the age is {} s", horizon_age(client).await);
        tokio::time::sleep(POLL).await;
    }
}

fn doctor(system: &System) -> String {
    let said = system.command(&["doctor"]).output().unwrap();
    String::from_utf8(said.stdout).unwrap()
}

#[tokio::test]
async fn a_blocking_transaction_is_named_and_ended() {
    let system = System::start().await;
    let client = Client::for_system(&system);
    assert!(doctor(&system).contains("ok    feed         no open transaction"), "{}", doctor(&system));

    let mut blocking = open_transaction(&system).await;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut blocking).await.unwrap();
    let job = client.upload("talk.mp4", speech::video().to_vec()).await;
    // Longer than two checks of the relay: the second must not log the line again.
    wait_for_age(&client, |age| age > 16.0).await;

    let log = system.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("pg_terminate_backend")).collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let remedy = format!("SELECT pg_terminate_backend({pid})");
    for part in ["nightly script", "idle in transaction", "SELECT pg_backend_pid", remedy.as_str()] {
        assert!(lines[0].contains(part), "no {part:?} in {}", lines[0]);
    }
    let said = doctor(&system);
    let row = said.lines().find(|line| line.starts_with("BAD   feed")).unwrap_or_else(|| panic!("{said}"));
    assert!(row.contains("nightly script") && row.contains(&remedy), "{row}");
    assert!(!log.contains(SECRET) && !said.contains(SECRET));

    // The remedy of that line; any session of the same role may do it.
    let options: PgConnectOptions = system.database_url().parse().unwrap();
    let mut session = options.connect().await.unwrap();
    sqlx::query(&remedy).execute(&mut session).await.unwrap();
    session.close().await.unwrap();
    client.completed(&job).await;
    wait_for_age(&client, |age| age < 5.0).await;
    assert!(system.log().contains("the feed continues"));
}
