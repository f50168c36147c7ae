//! Which events still ask a worker for something.
//!
//! | event | asks for | until |
//! |---|---|---|
//! | `JobCreated` | the audio | it is there, or the job has ended |
//! | `ChunkScheduled` | the text of that chunk | it is there, or the job has ended |
//! | the end of a job with a webhook | telling it | it was told, or given up |
//!
//! Every other event is a record that no worker waits for.

use ytcaption_domain::job::JobEvent;
use ytcaption_eventstore::RecordedEvent;

/// Events that ask for a step of a job.
const STEPS: [&str; 2] = ["JobCreated", "ChunkScheduled"];

/// Whether a worker may wait for messages of this kind of event.
pub(super) fn asks_for_work(event: &RecordedEvent) -> bool {
    let name = event.event_type.as_str();
    event.aggregate_type == "job"
        && (STEPS.contains(&name) || JobEvent::TERMINAL_EVENTS.iter().any(|event| event.name == name))
}

/// SQL: whether the event `e`, which asks for work, still does. `$1` is [`JobEvent::ENDS`].
macro_rules! still_asks {
    () => {
        "CASE WHEN e.event_type = ANY($1) THEN
            EXISTS (SELECT 1 FROM events c
                     WHERE c.aggregate_type = 'job' AND c.aggregate_id = e.aggregate_id AND c.sequence = 1
                       AND c.payload->>'webhook_url' IS NOT NULL)
            AND NOT EXISTS (SELECT 1 FROM events d
                             WHERE d.aggregate_type = 'delivery' AND d.payload->>'job_id' = e.aggregate_id
                               AND d.event_type IN ('WebhookDelivered', 'WebhookAbandoned'))
         ELSE NOT EXISTS (SELECT 1 FROM events d
                           WHERE d.aggregate_type = 'job' AND d.aggregate_id = e.aggregate_id
                             AND (d.event_type = ANY($1)
                                  OR CASE e.event_type
                                     WHEN 'JobCreated' THEN d.event_type = 'AudioDownloaded'
                                     ELSE d.event_type = 'ChunkTranscribed'
                                          AND d.payload->'chunk' = e.payload->'chunk' END))
         END"
    };
}

/// SQL: whether somebody is likely to be at work on what the event `e` asks for. A worker that died is noticed by
/// JetStream only while it has the message; of one without a message the store knows when it began. The more attempts
/// there were, the longer the next one is left in peace, so that slow work is not overtaken for ever.
macro_rules! in_work {
    () => {
        "CASE WHEN e.event_type = ANY($1) THEN e.recorded_at > now() - interval '30 seconds'
         ELSE coalesce((SELECT s.event_type IN ('DownloadStarted', 'ChunkStarted')
                           AND s.recorded_at > now() - interval '30 seconds'
                                                       * 2 ^ least((s.payload->>'attempt')::int - 1, 8)
                          FROM events s
                         WHERE s.aggregate_type = 'job' AND s.aggregate_id = e.aggregate_id
                           AND CASE e.event_type
                               WHEN 'JobCreated'
                               THEN s.event_type IN ('DownloadStarted', 'DownloadAttemptFailed')
                               ELSE s.event_type IN ('ChunkStarted', 'ChunkAttemptFailed')
                                    AND s.payload->'chunk' = e.payload->'chunk' END
                         ORDER BY s.sequence DESC LIMIT 1), false)
         END"
    };
}

pub(super) use {in_work, still_asks};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::topology;

    #[test]
    fn what_workers_are_given_is_what_is_put_back() {
        let filters = topology::consumer_configs().into_iter().flat_map(|config| config.filter_subjects);
        // ytcaption.events.job.<Event>.<route>.<id>
        let given: BTreeSet<String> =
            filters.map(|filter| filter.split('.').nth(3).unwrap_or_default().to_owned()).collect();
        let put_back: BTreeSet<String> =
            STEPS.into_iter().chain(JobEvent::TERMINAL_EVENTS.map(|event| event.name)).map(ToOwned::to_owned).collect();
        assert_eq!(given, put_back);
    }
}
