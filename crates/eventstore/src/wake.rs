//! Wakes readers of the feed when something was appended.
//!
//! NOTIFY within the append's own transaction would take a global lock at commit; one coalesced NOTIFY afterwards
//! costs appends nothing. It is a hint: readers also look by themselves every [`POLL`].

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Longest time an appended event stays unseen if its notification is lost.
const POLL: Duration = Duration::from_millis(500);
/// Pause before listening again after the connection broke.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// Notifications of appends that follow each other within this time are sent as one.
const COALESCE: Duration = Duration::from_millis(2);
/// Name of the Postgres notification channel.
const CHANNEL: &str = "ytcaption_events";

/// Tells readers in this process that events were appended by any process. One a process is enough.
#[derive(Debug)]
pub struct Wake {
    appended: Arc<Notify>,
    listener: JoinHandle<()>,
}

impl Wake {
    /// Begins to listen; reconnects by itself.
    pub fn listen(pool: PgPool) -> Arc<Self> {
        let appended = Arc::new(Notify::new());
        let listener = tokio::spawn(listen(pool, Arc::clone(&appended)));
        Arc::new(Self { appended, listener })
    }

    /// Returns when something was appended, or after at most half a second.
    pub async fn wait(&self) {
        // A time-out is no error: looking without being told is the fallback.
        let _ = tokio::time::timeout(POLL, self.appended.notified()).await;
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen(pool: PgPool, appended: Arc<Notify>) {
    loop {
        if let Err(error) = forward(&pool, &appended).await {
            tracing::debug!(%error, "not listening to Postgres; polling instead");
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
}

async fn forward(pool: &PgPool, appended: &Notify) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        listener.recv().await?;
        appended.notify_waiters();
    }
}

/// Sends the notification, once for all appends that come close together.
#[derive(Debug)]
pub(crate) struct Bell {
    rung: Arc<Notify>,
    sender: JoinHandle<()>,
}

impl Bell {
    pub(crate) fn new(pool: PgPool) -> Self {
        let rung = Arc::new(Notify::new());
        let sender = tokio::spawn(send(pool, Arc::clone(&rung)));
        Self { rung, sender }
    }

    /// Something was appended and is durable.
    pub(crate) fn ring(&self) {
        self.rung.notify_one();
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.sender.abort();
    }
}

async fn send(pool: PgPool, rung: Arc<Notify>) {
    loop {
        rung.notified().await;
        if let Err(error) = sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(&pool).await {
            tracing::debug!(%error, "readers were not notified; they will find the events by polling");
        }
        tokio::time::sleep(COALESCE).await;
    }
}
