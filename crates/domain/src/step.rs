//! The steps of all kinds of job: what work there is, which event triggers it, and which events say how it went.
//!
//! ```text
//!          trigger                   started            failed: again after a delay
//!  event ──────────▶ unit is pending ───────▶ attempt n ──────────▶ attempt n + 1 …
//!                          ▲                       │
//!                          │ worker lost           │ done
//!                          └───────────────────────┴───────▶ nothing pending any more (or the job has ended)
//! ```
//!
//! This table is the only definition. The JetStream consumers in `nats/consumers`, the relay's refill, the rules of
//! attempts, the labels of metrics, the list of worker roles and `docs/steps.md` derive from it. A new step is an entry
//! here, its events, and its worker.

use crate::delivery::DeliveryEvent;
use crate::event::EventType;
use crate::job::{JobEvent, Priority};

/// One kind of work that workers do for jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Its name in consumers, roles, metrics, worker names and failures; one NATS token.
    pub name: &'static str,
    /// What its workers do, as a noun phrase.
    pub description: &'static str,
    /// Events of a job, each of which triggers one unit of this work.
    pub triggers: &'static [EventType],
    /// Member of the job's creation event without which the job never needs this step.
    pub needs: Option<&'static str>,
    /// What identifies one unit of the work.
    pub unit: Unit,
    /// A worker has begun an attempt at a unit; `None` where attempts are only recorded when they have ended.
    pub started: Option<EventType>,
    /// An attempt at a unit has failed.
    pub failed: EventType,
    /// The unit needs no more work.
    pub done: &'static [EventType],
    /// Whether the unit is obsolete as soon as the job has ended.
    pub ends_with_job: bool,
    /// How its messages are divided into queues.
    pub queues: Queues,
    /// Messages that may be with its workers or wait for their retry at a time, in each queue.
    pub max_ack_pending: i64,
}

/// What identifies one unit of a step's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// The job: there is one unit in each.
    Job,
    /// A part of the job. The member of that name in the payload of the step's events holds its index.
    Part(&'static str),
}

/// How the messages of a step are divided into queues; each is a durable consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queues {
    /// A queue for each [`Priority`].
    ByPriority,
    /// One queue for all.
    Single,
}

/// One queue of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepQueue {
    /// Name of its durable consumer.
    pub consumer: String,
    /// The priority whose jobs it holds; `None` for all.
    pub priority: Option<Priority>,
    /// How many turns it has of those that all queues of the step have together.
    pub weight: usize,
}

/// Fetches the media of a job and extracts its audio.
pub const DOWNLOAD: Step = Step {
    name: "download",
    description: "jobs that wait for their media",
    triggers: &[JobEvent::JOB_CREATED],
    needs: None,
    unit: Unit::Job,
    started: Some(JobEvent::DOWNLOAD_STARTED),
    failed: JobEvent::DOWNLOAD_ATTEMPT_FAILED,
    done: &[JobEvent::AUDIO_DOWNLOADED],
    ends_with_job: true,
    queues: Queues::ByPriority,
    max_ack_pending: 10_000,
};

/// Transcribes one chunk of a job's audio.
pub const TRANSCRIBE: Step = Step {
    name: "transcribe",
    description: "chunks that wait for their text",
    triggers: &[JobEvent::CHUNK_SCHEDULED],
    needs: None,
    unit: Unit::Part("chunk"),
    started: Some(JobEvent::CHUNK_STARTED),
    failed: JobEvent::CHUNK_ATTEMPT_FAILED,
    done: &[JobEvent::CHUNK_TRANSCRIBED],
    ends_with_job: true,
    queues: Queues::ByPriority,
    max_ack_pending: 10_000,
};

/// Notifies the webhook of a job that has ended.
pub const NOTIFY: Step = Step {
    name: "notify",
    description: "jobs that have ended; a message waits for hours while the receiver of its webhook is unavailable",
    triggers: &JobEvent::TERMINAL_EVENTS,
    needs: Some("webhook_url"),
    unit: Unit::Job,
    started: None,
    failed: DeliveryEvent::WEBHOOK_ATTEMPT_FAILED,
    done: &[DeliveryEvent::WEBHOOK_DELIVERED, DeliveryEvent::WEBHOOK_ABANDONED],
    ends_with_job: false,
    queues: Queues::Single,
    max_ack_pending: 100_000,
};

/// Every step, in the order of a job's life.
pub static STEPS: [Step; 3] = [DOWNLOAD, TRANSCRIBE, NOTIFY];

impl Step {
    /// Its queues, the most urgent first.
    pub fn queues(&self) -> Vec<StepQueue> {
        match self.queues {
            Queues::Single => vec![StepQueue { consumer: self.name.to_owned(), priority: None, weight: 1 }],
            Queues::ByPriority => Priority::ALL
                .into_iter()
                .map(|priority| StepQueue {
                    consumer: format!("{}-{priority}", self.name),
                    priority: Some(priority),
                    weight: weight(priority),
                })
                .collect(),
        }
    }

    /// Names of the events that trigger it.
    pub fn trigger_names(&self) -> Vec<&'static str> {
        names(self.triggers)
    }

    /// Names of the events that say that a unit needs no more work.
    pub fn done_names(&self) -> Vec<&'static str> {
        names(self.done)
    }

    /// Type of the aggregate whose events record its attempts.
    pub const fn recorded_by(&self) -> &'static str {
        self.failed.aggregate
    }
}

impl Unit {
    /// The payload member that identifies units within a job; `None` where a job has one unit.
    pub const fn member(self) -> Option<&'static str> {
        match self {
            Self::Job => None,
            Self::Part(member) => Some(member),
        }
    }
}

/// Of ten turns, six are for `high`, three for `normal` and one for `low`: no priority starves.
const fn weight(priority: Priority) -> usize {
    match priority {
        Priority::High => 6,
        Priority::Normal => 3,
        Priority::Low => 1,
    }
}

fn names(events: &[EventType]) -> Vec<&'static str> {
    events.iter().map(|event| event.name).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_single_nats_tokens() {
        let names: BTreeSet<&str> = STEPS.iter().map(|step| step.name).collect();
        assert_eq!(names.len(), STEPS.len());
        for name in names {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        }
    }

    #[test]
    fn every_step_is_triggered_by_job_events_and_recorded_by_one_aggregate() {
        for step in STEPS {
            assert!(
                !step.triggers.is_empty() && step.triggers.iter().all(|event| event.aggregate == "job"),
                "{}",
                step.name
            );
            let recorded = step.done.iter().chain(&step.started).all(|event| event.aggregate == step.recorded_by());
            assert!(!step.done.is_empty() && recorded, "{}", step.name);
        }
    }

    #[test]
    fn a_step_names_its_events_and_its_units_as_the_store_does() {
        assert_eq!(DOWNLOAD.trigger_names(), ["JobCreated"]);
        assert_eq!(NOTIFY.done_names(), ["WebhookDelivered", "WebhookAbandoned"]);
        assert_eq!((DOWNLOAD.unit.member(), TRANSCRIBE.unit.member()), (None, Some("chunk")));
    }

    #[test]
    fn a_step_with_priorities_has_a_queue_for_each() {
        let queues = TRANSCRIBE.queues();
        let consumers: Vec<&str> = queues.iter().map(|queue| queue.consumer.as_str()).collect();
        assert_eq!(consumers, ["transcribe-high", "transcribe-normal", "transcribe-low"]);
        let turns: Vec<usize> = queues.iter().map(|queue| queue.weight).collect();
        assert_eq!(turns, [6, 3, 1]);
        assert_eq!(NOTIFY.queues(), [StepQueue { consumer: "notify".into(), priority: None, weight: 1 }]);
    }
}
