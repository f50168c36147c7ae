//! Wakes readers of the feed when something was appended.
//!
//! NOTIFY within the append's own transaction would take a global lock at commit; one coalesced NOTIFY afterwards
//! costs appends nothing. It is a hint: readers also look by themselves every [`POLL`].

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// First pause of a reader that was woken and saw nothing: the event is still behind an older transaction, which nobody
/// tells the end of. The pause doubles up to [`POLL`].
const HIDDEN_PAUSE: Duration = Duration::from_millis(2);
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
    appended: watch::Sender<()>,
    listener: JoinHandle<()>,
}

impl Wake {
    /// Begins to listen; reconnects by itself.
    pub fn listen(pool: PgPool) -> Arc<Self> {
        let appended = watch::Sender::default();
        let listener = tokio::spawn(listen(pool, appended.clone()));
        Arc::new(Self { appended, listener })
    }

    /// For a reader that must not miss what is appended while it reads.
    pub fn alarm(&self) -> Alarm {
        Alarm { appended: self.appended.subscribe(), pause: POLL }
    }
}

/// Wakes one reader, also for what was appended since it last waited.
#[derive(Debug)]
pub struct Alarm {
    appended: watch::Receiver<()>,
    pause: Duration,
}

impl Alarm {
    /// Returns when something was appended since the last call, or when it is time to look without being told: soon
    /// after a notification, later and later without one, after at most half a second.
    pub async fn wait(&mut self) {
        match tokio::time::timeout(self.pause, self.appended.changed()).await {
            Ok(Ok(())) => self.pause = HIDDEN_PAUSE,
            // A time-out is no error: looking without being told is the fallback.
            Err(_) => self.pause = POLL.min(self.pause * 2),
            // Nobody listens any more.
            Ok(Err(_)) => tokio::time::sleep(POLL).await,
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen(pool: PgPool, appended: watch::Sender<()>) {
    loop {
        if let Err(error) = forward(&pool, &appended).await {
            tracing::debug!(%error, "not listening to Postgres; polling instead");
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
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
