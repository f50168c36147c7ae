//! Wakes readers of the feed after an append.
//!
//! NOTIFY within the append's own transaction would take a global lock at commit; one coalesced NOTIFY afterwards
//! costs appends nothing. It is a hint: readers also look by themselves every [`POLL_INTERVAL`].

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::Database;

/// First delay of a reader that was woken and saw nothing: the event is still behind an older transaction, whose end
/// sends no notification. The delay doubles up to [`POLL_INTERVAL`].
const HIDDEN_DELAY: Duration = Duration::from_millis(2);
/// Longest time an appended event stays unseen if its notification is lost.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Delay before listening again after the connection broke.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);
/// Notifications of appends that follow each other within this time are sent as one.
const COALESCE: Duration = Duration::from_millis(2);
/// Name of the Postgres notification channel.
const CHANNEL: &str = "ytcaption_events";

/// Receives the notifications of appends by any process. One for each process is enough.
#[derive(Debug)]
pub struct EventListener {
    appended: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl EventListener {
    /// Begins to listen; reconnects by itself.
    pub fn start(database: &Database) -> Arc<Self> {
        let appended = watch::Sender::default();
        let task = tokio::spawn(listen(database.pool().clone(), appended.clone()));
        Arc::new(Self { appended, task })
    }

    /// For one reader, which then misses nothing that is appended while it reads.
    pub fn subscribe(&self) -> Subscription {
        Subscription { appended: self.appended.subscribe(), delay: POLL_INTERVAL }
    }
}

/// Wakes one reader, also for what was appended since it last waited.
#[derive(Debug)]
pub struct Subscription {
    appended: watch::Receiver<()>,
    delay: Duration,
}

impl Subscription {
    /// Returns after an append since the last call, or when it is time to look without a notification: soon after one,
    /// then later and later, after at most half a second.
    pub async fn wait(&mut self) {
        match tokio::time::timeout(self.delay, self.appended.changed()).await {
            Ok(Ok(())) => self.delay = HIDDEN_DELAY,
            // A timeout is expected: polling is the fallback when no notification comes.
            Err(_) => self.delay = POLL_INTERVAL.min(self.delay * 2),
            // The listener was dropped.
            Ok(Err(_)) => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

impl Drop for EventListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(pool: PgPool, appended: watch::Sender<()>) {
    loop {
        if let Err(error) = forward(&pool, &appended).await {
            tracing::debug!(%error, "not listening to Postgres; polling instead");
        }
        tokio::time::sleep(RECONNECT_DELAY).await;
    }
}

async fn forward(pool: &PgPool, appended: &watch::Sender<()>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        listener.recv().await?;
        appended.send_replace(());
    }
}

/// Sends the notification, once for all appends that come close together.
#[derive(Debug)]
pub(crate) struct Notifier {
    pending: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Notifier {
    pub(crate) fn start(pool: PgPool) -> Self {
        let pending = Arc::new(Notify::new());
        let task = tokio::spawn(send(pool, Arc::clone(&pending)));
        Self { pending, task }
    }

    /// Something was appended and is durable.
    pub(crate) fn notify(&self) {
        self.pending.notify_one();
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn send(pool: PgPool, pending: Arc<Notify>) {
    loop {
        pending.notified().await;
        if let Err(error) = sqlx::query!("SELECT pg_notify($1, '')", CHANNEL).execute(&pool).await {
            tracing::debug!(%error, "readers were not notified; they will find the events by polling");
        }
        tokio::time::sleep(COALESCE).await;
    }
}
