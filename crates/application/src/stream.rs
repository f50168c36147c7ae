//! Use case: follow a job while it runs.

use std::collections::VecDeque;

use cqrs_es::Aggregate;
use ytcaption_domain::JobId;
use ytcaption_domain::job::{Job, JobEvent};
use ytcaption_eventstore::{RecordedEvent, read_stream_page};

use crate::permissions::{Permission, PermissionDenied};
use crate::progress::{ProgressFold, ProgressMessage, ProgressPosition};
use crate::subscriptions::JobWatch;
use crate::{GetError, Principal, Queries, StoreError, Subscriptions};

/// Events read at a time. The text of a chunk may be 100 kB, so this bounds what a slow client costs.
const PAGE: u32 = 4;
/// Events read at a time to resume. None of them is kept.
const RESUME_PAGE: u32 = 64;

/// Why the progress of a job cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum ProgressError {
    /// The caller may not read jobs.
    #[error(transparent)]
    Denied(#[from] PermissionDenied),
    /// The account has no such job.
    #[error("there is no job {0}")]
    NotFound(JobId),
    /// The progress of this job never was at that position.
    #[error("the stream of this job has no event with the id {0}; leave the header out to begin at the start")]
    NoSuchPosition(ProgressPosition),
    /// The store gave no answer. After [`StoreError::Unavailable`] the same call may be repeated.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Subscriptions {
    /// The progress of a job after a position; the default position is the start. `None` if the job has ended and its
    /// last message was sent.
    ///
    /// Events are read from the event store and not from a read model, so an event that was acknowledged to a client is
    /// in the stream at once.
    ///
    /// # Errors
    /// See [`ProgressError`].
    pub async fn progress(
        &self,
        principal: &Principal,
        job: JobId,
        after: ProgressPosition,
    ) -> Result<Option<ProgressStream>, ProgressError> {
        principal.require(Permission::ReadJobs)?;
        let view = self.queries.find(principal, job).await?;
        let newest = view.version;
        if after.version > newest {
            return Err(ProgressError::NoSuchPosition(after));
        }
        if view.status.has_ended() && after.version == newest {
            return Ok(None);
        }
        let mut stream = ProgressStream {
            queries: self.queries.clone(),
            watch: self.watch(job),
            job,
            fold: ProgressFold::default(),
            page: VecDeque::new(),
            messages: VecDeque::new(),
            at_hand: None,
            is_caught_up: false,
            has_ended: false,
        };
        stream.resume(after).await?;
        Ok(Some(stream))
    }
}

/// The messages of one job, pulled one at a time: a client that does not read holds one message and one page of events.
pub struct ProgressStream {
    queries: Queries,
    watch: JobWatch,
    job: JobId,
    fold: ProgressFold,
    /// Events that are read and not folded yet.
    page: VecDeque<RecordedEvent>,
    /// Messages of the event folded last that are not sent yet.
    messages: VecDeque<ProgressMessage>,
    /// The events of the record folded last; their text may be the next.
    at_hand: Option<(u64, Vec<JobEvent>)>,
    /// Whether the last read found nothing new.
    is_caught_up: bool,
    has_ended: bool,
}

impl ProgressStream {
    /// The next message; waits until there is one. `None` after the last. The future may be dropped at any point
    /// without losing a message.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], after which the call may be repeated, and [`StoreError::Unreadable`].
    pub async fn next(&mut self) -> Result<Option<ProgressMessage>, StoreError> {
        loop {
            if self.has_ended {
                return Ok(None);
            }
            if let Some(message) = self.messages.pop_front() {
                self.has_ended = message.progress.is_last();
                return Ok(Some(message));
            }
            if let Some(sequence) = self.fold.next_text() {
                let events = self.events_at(sequence).await?;
                if let Some(message) = self.fold.take_text(events) {
                    return Ok(Some(message));
                }
            } else if let Some(recorded) = self.page.front() {
                let (sequence, events) = (recorded.sequence, recorded.decode::<JobEvent>()?);
                self.page.pop_front();
                self.messages.extend(self.fold.fold(sequence, &events));
                self.at_hand = Some((sequence, events));
            } else {
                let version = self.fold.position().version;
                if self.is_caught_up {
                    self.watch.beyond(version).await;
                }
                let page = self.read_page(version, PAGE).await?;
                self.is_caught_up = page.is_empty();
                self.page.extend(page);
            }
        }
    }

    /// Folds the events up to a position, which must have been one.
    async fn resume(&mut self, after: ProgressPosition) -> Result<(), ProgressError> {
        while self.fold.position().version < after.version {
            let left = after.version - self.fold.position().version;
            let limit = u32::try_from(left).unwrap_or(u32::MAX).min(RESUME_PAGE);
            let page = self.read_page(self.fold.position().version, limit).await?;
            if page.is_empty() {
                return Err(ProgressError::NoSuchPosition(after));
            }
            for recorded in page {
                self.fold.fold(recorded.sequence, &recorded.decode().map_err(StoreError::from)?);
            }
        }
        if self.fold.skip_texts(after.chunks) { Ok(()) } else { Err(ProgressError::NoSuchPosition(after)) }
    }

    /// The events of the record of that sequence: at hand if it was folded last, else read again.
    async fn events_at(&mut self, sequence: u64) -> Result<Vec<JobEvent>, StoreError> {
        if let Some((_, events)) = self.at_hand.take_if(|(at, _)| *at == sequence) {
            return Ok(events);
        }
        match self.read_page(sequence.saturating_sub(1), 1).await?.first() {
            Some(recorded) => Ok(recorded.decode()?),
            None => Err(StoreError::Unreadable(format!("event {sequence} of job {} is gone", self.job))),
        }
    }

    async fn read_page(&self, after: u64, limit: u32) -> Result<Vec<RecordedEvent>, StoreError> {
        let _permit = self.watch.read_permit().await;
        let id = self.job.to_string();
        let page = read_stream_page(&self.queries.database, Job::TYPE, &id, after, limit).await;
        page.map_err(StoreError::unavailable)
    }
}

impl From<GetError> for ProgressError {
    fn from(error: GetError) -> Self {
        match error {
            GetError::Denied(denied) => Self::Denied(denied),
            GetError::NotFound(job) => Self::NotFound(job),
            GetError::Store(error) => Self::Store(error),
        }
    }
}
