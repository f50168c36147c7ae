//! A long job does not delay short ones, even when workers die.

use std::collections::HashSet;

use ytcaption_eventstore::RecordedEvent;

use crate::cluster::{Cluster, Role};
use crate::history::History;
use crate::stalled_site::{StalledSite, assert_all_transcribed};

/// Number of repeats that make media of more than ten chunks.
const LONG: u32 = 160;
/// Jobs that come after the long one.
const SHORT: usize = 3;

/// The chunk events of several jobs, in the order in which they were recorded.
async fn chunk_events(history: &History, jobs: &[String]) -> Vec<RecordedEvent> {
    let mut events = vec![];
    for job in jobs {
        events.extend(history.events(job).await.into_iter().filter(|event| event.event_type.starts_with("Chunk")));
    }
    events.sort_by_key(|event| event.cursor);
    events
}

/// The number of chunks of the long job that were started while this job's only chunk waited. Later attempts do not count:
/// the chunks of a dead worker are redelivered regardless of the order.
fn chunks_started_before(long: &str, job: &str, events: &[RecordedEvent]) -> usize {
    let of_job = |event: &&RecordedEvent| event.aggregate_id == job;
    let at = |name: &str| events.iter().position(|event| of_job(&event) && event.event_type == name).unwrap();
    let meanwhile = &events[at("ChunkScheduled")..at("ChunkStarted")];
    let begun: HashSet<u64> = meanwhile
        .iter()
        .filter(|event| event.aggregate_id == long && event.event_type == "ChunkStarted")
        .filter(|event| event.payload["attempt"] == 1)
        .filter_map(|event| event.payload["chunk"].as_u64())
        .collect();
    begun.len()
}

#[tokio::test]
async fn a_short_job_starts_after_at_most_one_chunk_of_a_long_one_even_when_a_worker_dies() {
    let cluster = Cluster::start().await;
    let (stalled, client, history) = (StalledSite::start().await, cluster.client(), cluster.history());
    let long = client.submit_url(&stalled.talk_url(LONG)).await;
    history.until(&long, "ChunkTranscribed", 1).await;
    let mut jobs = vec![long.clone()];
    for number in 0..SHORT {
        // The worker is killed while it transcribes a chunk of either job; another is started.
        if number == 1 {
            cluster.kill(Role::Transcribe);
            cluster.launch(Role::Transcribe);
        }
        jobs.push(client.submit_url(&stalled.talk_url(1)).await);
    }
    for short in &jobs[1..] {
        client.completed(short).await;
        assert_all_transcribed(&client.result(short, "txt").await, 1);
    }
    let events = chunk_events(&history, &jobs).await;
    let planned = history.events(&long).await;
    let planned = planned.iter().find(|event| event.event_type == "ChunksPlanned").unwrap();
    let planned = planned.payload["chunks"].as_array().unwrap().len();
    assert!(planned > 10);
    for short in &jobs[1..] {
        let ahead = chunks_started_before(&long, short, &events);
        assert!(ahead <= 1, "{ahead} chunks of the long job were started before a short one");
    }
    let done = events.iter().filter(|event| event.aggregate_id == long && event.event_type == "ChunkTranscribed");
    let done = done.count();
    assert!(done < planned, "the short jobs waited for the long one: {done} of {planned}");
    client.completed(&long).await;
    assert_all_transcribed(&client.result(&long, "txt").await, LONG);
}
