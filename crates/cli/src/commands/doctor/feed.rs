//! Whether events reach their readers.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use ytcaption_eventstore::{Checkpoints, Database, Horizon, HorizonView, LONGEST_RELAY_STALL, RELAY_CHECKPOINT};

use super::Outcome;
use crate::managed::published_database;
use crate::settings::Settings;

/// A transaction that has written and is open for longer was probably forgotten, in seconds.
const OLD_TRANSACTION_S: f64 = 60.0;
/// Longest wait for the server.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether an open transaction, anywhere in the cluster, holds events back.
pub(super) async fn check(settings: &Settings) -> Outcome {
    let configured = settings.database.url.as_ref().map(|url| url.expose_secret().to_owned());
    let Some(url) = configured.or_else(|| published_database(&settings.data_dir)) else {
        return Outcome::Note("no event store runs here; nothing to check".to_owned());
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, look(url)).await {
        Ok(Ok(Some((view, relay_stalled)))) => judge(&view, relay_stalled),
        Ok(Ok(None)) => Outcome::Note("the database has no event store yet; `ytcaption migrate` makes one".to_owned()),
        Ok(Err(error)) => Outcome::Note(format!("the event store cannot be queried: {error}")),
        Err(_) => Outcome::Note("the event store does not answer".to_owned()),
    }
}

async fn look(url: String) -> anyhow::Result<Option<(HorizonView, Duration)>> {
    let database = Database::open_as("ytcaption doctor", &url.into(), 1)?;
    let there: bool = sqlx::query_scalar("SELECT to_regclass('events') IS NOT NULL").fetch_one(database.pool()).await?;
    let seen = if there {
        let relay = Checkpoints::new(database.pool().clone(), RELAY_CHECKPOINT).stalled_for().await?;
        Some((Horizon::new(database.pool().clone()).look().await?, relay))
    } else {
        None
    };
    database.pool().close().await;
    Ok(seen)
}

fn judge(view: &HorizonView, relay_stalled: Duration) -> Outcome {
    match &view.blocking {
        Some(blocking) if view.is_stalled() => Outcome::Bad(format!(
            "events have waited for {} s behind {blocking}. Until it ends no worker and no read model sees them. If it was \
             forgotten: {}",
            view.waiting.as_secs(),
            blocking.remedy()
        )),
        Some(blocking) if blocking.age.is_some_and(|age| age > OLD_TRANSACTION_S) => {
            Outcome::Note(format!("new events will wait behind {blocking}. If it was forgotten: {}", blocking.remedy()))
        }
        _ if relay_stalled > LONGEST_RELAY_STALL => Outcome::Bad(format!(
            "events have waited for {} s to be published on JetStream, so no worker receives them: is a relay running, and \
             can nats-server write to its disk? Its log says so; after the disk has space again, restart nats-server",
            relay_stalled.as_secs()
        )),
        _ => Outcome::Ok("no open transaction holds events back".to_owned()),
    }
}
