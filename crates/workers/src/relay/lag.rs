//! How far the relay is behind the store. Measured by every process that has the role, also while another one leads and
//! while nothing can be published.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use ytcaption_eventstore::{Checkpoints, Database, Feed, Horizon, RELAY_CHECKPOINT};
use ytcaption_telemetry::metrics;

use super::stall::StallWatch;

const INTERVAL: Duration = Duration::from_secs(5);
/// The lag is not counted further than this.
const LIMIT: u32 = 100_000;

/// Measures until it is dropped.
pub(super) async fn measure(database: &Database) {
    let (checkpoint, feed) = (Checkpoints::new(database.pool().clone(), RELAY_CHECKPOINT), Feed::new(database));
    let mut stall = StallWatch::new(Horizon::new(database.pool().clone()));
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let measured = async {
            metrics::relay_lag(feed.lag(checkpoint.get().await?, LIMIT).await?);
            metrics::relay_stalled(checkpoint.stalled_for().await?);
            stall.check().await
        };
        if let Err(error) = measured.await {
            tracing::debug!(%error, "the lag of the relay cannot be measured");
        }
    }
}
