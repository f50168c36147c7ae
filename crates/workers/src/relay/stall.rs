//! Says who holds the feed back: one line when it begins, one now and then while it lasts, one when it is over.

use std::time::Duration;

use tokio::time::Instant;
use ytcaption_eventstore::{Horizon, HorizonView};
use ytcaption_telemetry::metrics;

/// Pause between two lines on the same culprit.
const REMINDER: Duration = Duration::from_mins(10);

/// Watches the horizon.
pub(super) struct StallWatch {
    horizon: Horizon,
    /// Whom the last line named (a process, or a prepared transaction), and when it was written.
    told: Option<(String, Instant)>,
}

impl StallWatch {
    pub(super) fn new(horizon: Horizon) -> Self {
        Self { horizon, told: None }
    }

    /// Measures how long events wait, and names the culprit if that is too long.
    pub(super) async fn look(&mut self) -> Result<(), sqlx::Error> {
        let view = self.horizon.look().await?;
        metrics::feed_horizon_age(view.waiting);
        if !view.is_stalled() {
            if self.told.take().is_some() {
                tracing::info!("the feed goes on: the transaction that held it back has ended");
            }
            return Ok(());
        }
        let culprit = view.blocking.as_ref().map(ytcaption_eventstore::BlockingTransaction::remedy).unwrap_or_default();
        if self.told.as_ref().is_none_or(|(named, at)| *named != culprit || at.elapsed() > REMINDER) {
            tell(&view);
            self.told = Some((culprit, Instant::now()));
        }
        Ok(())
    }
}

fn tell(view: &HorizonView) {
    let waiting_s = view.waiting.as_secs();
    let Some(blocking) = &view.blocking else {
        tracing::warn!(waiting_s, "events wait for an older transaction, which has ended in this moment");
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
