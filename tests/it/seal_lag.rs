//! Metrics show how far the seals are behind the events.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};

use crate::client::{Client, JOB_TIMEOUT};
use crate::speech;
use crate::system::System;

const POLL: Duration = Duration::from_millis(200);
/// Seals are made every 5 seconds; an event that has waited longer than this is delayed, in seconds.
const DELAYED: f64 = 6.0;

/// The number of events without a seal, and how long the oldest has waited, in seconds.
async fn lag(client: &Client) -> (f64, f64) {
    let text = client.get("/metrics").await.text().await.unwrap();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(f64::NAN, |value| value.parse().unwrap())
    };
    (value("seal_lag_events"), value("seal_lag_seconds"))
}

async fn wait_for(client: &Client, wanted: impl Fn(f64, f64) -> bool) {
    let deadline = Instant::now() + JOB_TIMEOUT;
    loop {
        let (events, seconds) = lag(client).await;
        if wanted(events, seconds) {
            return;
        }
        assert!(Instant::now() < deadline, "timed out: {events} events without a seal, the oldest for {seconds} s");
        tokio::time::sleep(POLL).await;
    }
}

#[tokio::test]
async fn events_that_cannot_be_sealed_are_counted_until_they_are() {
    let system = System::start().await;
    let client = Client::for_system(&system);
    let sealed = |events: f64, seconds: f64| events + seconds == 0.0;
    wait_for(&client, sealed).await;

    // Only final events are sealed, and events are not final while an older transaction is open.
    let mut blocking = PgConnection::connect(system.database_url()).await.unwrap();
    for statement in ["BEGIN", "SELECT pg_current_xact_id()"] {
        sqlx::query(statement).execute(&mut blocking).await.unwrap();
    }
    let job = client.upload("talk.mp4", speech::video().to_vec()).await;
    wait_for(&client, |events, seconds| events >= 1.0 && seconds > DELAYED).await;

    blocking.close().await.unwrap();
    client.completed(&job).await;
    wait_for(&client, sealed).await;
}
