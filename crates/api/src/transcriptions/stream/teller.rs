//! One stream at work: reads the job's events, a few at a time, and sends what they tell.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::time::Duration;

use axum::response::sse::Event;
use cqrs_es::Aggregate as _;
use futures::Stream;
use tokio::sync::mpsc::{self, Sender};
use tokio::time::timeout;
use ytcaption_domain::JobId;
use ytcaption_domain::job::{Job, JobEvent};
use ytcaption_eventstore::{Database, RecordedEvent, read_stream_page};

use super::message::Message;
use super::narrator::{Narrator, text_of};
use super::position::Position;
use super::streams::Seat;

/// Events read at a time. A chunk's text may be 100 kB, so this bounds what a slow client costs.
const PAGE: u32 = 4;
/// A comment is sent after so long without news: proxies close connections that seem dead, and so we notice when the
/// client is gone. The HTML standard advises "every 15 seconds or so".
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A client that takes nothing for so long is let go; it may come back and go on.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });
/// How soon a client that was cut off comes back.
const RECONNECT: Duration = Duration::from_secs(2);
/// Pause before the database is asked again.
const FAULT_PAUSE: Duration = Duration::from_secs(1);

/// Why a stream stops where it is.
enum Halt {
    /// The client has gone, or takes nothing.
    Gone,
    /// The job cannot be read on.
    Unreadable(String),
    /// The database does not answer; it will.
    Away(sqlx::Error),
}

/// Begins to tell; what comes out is the body of the answer. A client that does not read holds up nobody: what waits
/// for it is one message, and the page it is from.
pub(super) fn start(
    seat: Seat,
    database: Database,
    job: JobId,
    narrator: Narrator,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let (sender, mut receiver) = mpsc::channel(1);
    tokio::spawn(Teller { seat, database, job, narrator, sender }.run());
    futures::stream::poll_fn(move |context| receiver.poll_recv(context).map(|event| event.map(Ok)))
}

struct Teller {
    seat: Seat,
    database: Database,
    job: JobId,
    narrator: Narrator,
    sender: Sender<Event>,
}

impl Teller {
    /// Until the job's end was told, the client has gone or the server stops.
    async fn run(mut self) {
        let mut outcome = self.send(Event::default().retry(RECONNECT)).await;
        if outcome.is_ok() {
            outcome = self.tell().await;
        }
        loop {
            let again = match outcome {
                Err(Halt::Gone) | Ok(ControlFlow::Break(())) => return,
                Err(Halt::Unreadable(error)) => {
                    tracing::error!(job_id = %self.job, error, "a stream ends before its job: an event cannot be read");
                    return;
                }
                Err(Halt::Away(error)) => {
                    tracing::debug!(%error, "a stream waits for the database");
                    true
                }
                Ok(ControlFlow::Continue(())) => false,
            };
            let version = self.narrator.position().version;
            outcome = tokio::select! {
                () = self.seat.stopped() => return,
                () = self.sender.closed() => return,
                () = tokio::time::sleep(FAULT_PAUSE), if again => self.tell().await,
                () = self.seat.beyond(version), if !again => self.tell().await,
                () = tokio::time::sleep(KEEP_ALIVE) => self.send(Event::default().comment("still here")).await,
            };
        }
    }

    /// Tells everything that is new; breaks after the job's end.
    async fn tell(&mut self) -> Result<ControlFlow<()>, Halt> {
        self.tell_texts(None).await?;
        loop {
            let page = self.read(self.narrator.position().version, PAGE).await?;
            if page.is_empty() {
                return Ok(ControlFlow::Continue(()));
            }
            for recorded in page {
                let events = decode(&recorded)?;
                for (left, event) in (0..events.len()).rev().zip(&events) {
                    let message = self.narrator.hear(recorded.sequence, self.job, event);
                    if left == 0 {
                        self.narrator.reach(recorded.sequence);
                    }
                    let Some(message) = message else { continue };
                    self.say(&message, self.narrator.position()).await?;
                    if message.is_last() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                self.tell_texts(Some((recorded.sequence, events))).await?;
            }
        }
    }

    /// Sends every text whose turn it is; `at_hand` is what was just read.
    async fn tell_texts(&mut self, mut at_hand: Option<(u64, Vec<JobEvent>)>) -> Result<(), Halt> {
        while let Some(sequence) = self.narrator.next_text() {
            let events = match at_hand.take_if(|(at, _)| *at == sequence) {
                Some((_, events)) => events,
                None => match self.read(sequence - 1, 1).await?.first() {
                    Some(recorded) => decode(recorded)?,
                    None => return Err(Halt::Unreadable(format!("event {sequence} is gone"))),
                },
            };
            let message = text_of(self.narrator.position().chunks, events);
            self.narrator.text_told();
            if let Some(message) = message {
                self.say(&message, self.narrator.position()).await?;
            }
        }
        Ok(())
    }

    async fn read(&self, after: u64, limit: u32) -> Result<Vec<RecordedEvent>, Halt> {
        let _turn = self.seat.turn().await;
        let id = self.job.to_string();
        read_stream_page(&self.database, Job::TYPE, &id, after, limit).await.map_err(Halt::Away)
    }

    async fn say(&self, message: &Message, position: Position) -> Result<(), Halt> {
        let event = message.at(position).map_err(|error| Halt::Unreadable(error.to_string()))?;
        self.send(event).await.map(drop)
    }

    async fn send(&self, event: Event) -> Result<ControlFlow<()>, Halt> {
        tokio::select! {
            () = self.seat.stopped() => Err(Halt::Gone),
            sent = timeout(PATIENCE, self.sender.send(event)) => match sent {
                Ok(Ok(())) => Ok(ControlFlow::Continue(())),
                Ok(Err(_)) | Err(_) => Err(Halt::Gone),
            },
        }
    }
}

fn decode(recorded: &RecordedEvent) -> Result<Vec<JobEvent>, Halt> {
    recorded.decode().map_err(|error| Halt::Unreadable(error.to_string()))
}
