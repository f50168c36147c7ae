//! Reports in the log which transaction blocks the feed: when it begins to, every ten minutes, and when it has ended.

use std::time::Duration;

use tokio::time::Instant;
use ytcaption_eventstore::{BlockingTransaction, Horizon, HorizonView};
use ytcaption_telemetry::metrics;

/// Time between two lines about the same transaction.
const REMINDER_INTERVAL: Duration = Duration::from_mins(10);

/// Watches the horizon.
pub(super) struct StallWatch {
    horizon: Horizon,
    /// The remedy that the last line named, and when it was written.
    reported: Option<(String, Instant)>,
}

impl StallWatch {
    pub(super) fn new(horizon: Horizon) -> Self {
        Self { horizon, reported: None }
    }

    /// Measures how long events wait, and reports the blocking transaction if that is too long.
    pub(super) async fn check(&mut self) -> Result<(), sqlx::Error> {
        let view = self.horizon.look().await?;
        metrics::feed_horizon_age(view.waiting);
        if !view.is_stalled() {
            if self.reported.take().is_some() {
                tracing::info!("the feed continues: the transaction that blocked it has ended");
            }
            return Ok(());
        }
        let remedy = view.blocking.as_ref().map(BlockingTransaction::remedy).unwrap_or_default();
        let is_reported = |(reported, at): &(String, Instant)| *reported == remedy && at.elapsed() <= REMINDER_INTERVAL;
        if !self.reported.as_ref().is_some_and(is_reported) {
            report(&view);
            self.reported = Some((remedy, Instant::now()));
        }
        Ok(())
    }
}

fn report(view: &HorizonView) {
    let waiting_s = view.waiting.as_secs();
    let Some(blocking) = &view.blocking else {
        tracing::warn!(waiting_s, "events wait for an older transaction, which has just ended");
        return;
    };
    tracing::warn!(
        waiting_s,
        pid = blocking.pid,
        prepared = blocking.prepared,
        application = blocking.application,
        user = blocking.user_name,
        database = blocking.database,
        client = blocking.client,
        state = blocking.state,
        transaction_age_s = blocking.age.map(f64::round),
        query = blocking.query,
        "events wait for an older transaction that is still open: no reader of the feed sees them until it ends. If it \
         was forgotten, end it: {}",
        blocking.remedy()
    );
}
