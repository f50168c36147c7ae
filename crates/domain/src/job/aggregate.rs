//! The job as a cqrs-es aggregate.

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;

use super::{Job, JobCommand, JobEvent, JobRejection, decide, evolve};
use crate::Routed;

impl Aggregate for Job {
    const TYPE: &'static str = "job";
    type Command = JobCommand;
    type Event = JobEvent;
    type Error = JobRejection;
    type Services = ();

    async fn handle(
        &mut self,
        command: JobCommand,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), JobRejection> {
        for event in decide(self, command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: JobEvent) {
        evolve(self, &event);
    }
}

impl Routed for Job {
    fn route(&self) -> &'static str {
        self.priority.as_str()
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::AccountId;
    use crate::event::EventFamily as _;
    use crate::job::{JobOptions, MediaSource, Priority, TranscriptionOptions};

    fn create(priority: Priority) -> JobCommand {
        JobCommand::Create {
            account: AccountId::local(),
            source: MediaSource::Url { url: "http://example.org/a.mp4".parse().expect("a URL") },
            options: JobOptions::Transcription(TranscriptionOptions::default()),
            priority,
            webhook_url: None,
            retry_of: None,
        }
    }

    #[test]
    fn a_job_is_built_from_the_events_that_its_commands_return() {
        let (mut job, sink) = (Job::default(), EventSink::default());
        block_on(job.handle(create(Priority::High), &(), &sink)).expect("a new job");
        let mut rebuilt = Job::default();
        for event in block_on(sink.collect()) {
            rebuilt.apply(event);
        }
        assert_ne!(rebuilt, Job::default());
        assert_eq!(rebuilt, job);
        let again = block_on(job.handle(create(Priority::High), &(), &EventSink::default()));
        assert!(again.is_err(), "the job exists already");
    }

    #[test]
    fn the_route_of_a_job_is_its_priority() {
        for priority in Priority::ALL {
            let (mut job, sink) = (Job::default(), EventSink::default());
            block_on(job.handle(create(priority), &(), &sink)).expect("a new job");
            assert_eq!(job.route(), priority.as_str());
        }
    }

    #[test]
    fn personal_parts_of_a_job_are_encrypted_with_its_own_key() {
        let id = uuid::Uuid::from_u128(7);
        let event = JobEvent::DownloadStarted { attempt: 1, worker: "w".into() };
        assert_eq!(event.data_key_id(id), id);
    }
}
