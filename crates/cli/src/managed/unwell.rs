//! A nats-server that answers and does not work: after its disk was full for a moment it refuses to store messages until
//! it is restarted, and its own health check does not show it.

use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Notify;
use tokio::time::sleep;
use ytcaption_eventstore::{Checkpoints, Database, RELAY_CHECKPOINT};

const CHECK_INTERVAL: Duration = Duration::from_secs(3);
/// Events that wait longer without one of them being published are a reason to restart the server. Longer than it takes to
/// elect another leader of the relay.
const LONGEST_STALL: Duration = Duration::from_secs(20);
/// Time between two restarts, in which the relay can catch up.
const RESTART_INTERVAL: Duration = Duration::from_mins(1);

/// Notifies `restart` whenever events of that database have waited too long for JetStream, until it is dropped.
pub(super) async fn restart_when_stalled(database_url: &SecretString, restart: &Notify) {
    let database = match Database::open_as("ytcaption up", database_url, 1) {
        Ok(database) => database,
        Err(error) => {
            tracing::warn!(%error, "a nats-server that stores nothing will not be noticed");
            return std::future::pending().await;
        }
    };
    let relay = Checkpoints::new(database.pool().clone(), RELAY_CHECKPOINT);
    loop {
        sleep(CHECK_INTERVAL).await;
        // While Postgres does not answer, nothing is known about NATS.
        let stalled = relay.stalled_for().await.unwrap_or_default();
        if stalled > LONGEST_STALL {
            tracing::error!(
                stalled_s = stalled.as_secs(),
                "events wait and none reaches JetStream: restarting nats-server; look at its log and at the disk"
            );
            restart.notify_one();
            sleep(RESTART_INTERVAL).await;
        }
    }
}
