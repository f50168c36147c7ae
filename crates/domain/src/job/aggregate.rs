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
