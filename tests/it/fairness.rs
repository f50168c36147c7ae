//! A long recording does not hold up short ones, also when workers die.

use std::collections::HashSet;

use ytcaption_eventstore::RecordedEvent;

use crate::cluster::{Cluster, Role};
use crate::held::{Held, assert_heard_all};
use crate::history::History;

/// Says everything so often that the recording is more than ten chunks long.
const LONG: u32 = 120;
/// Jobs that come after the long one.
const SHORT: usize = 3;

/// Names of the chunks' events of several jobs, in the order in which they were recorded.
async fn chunk_events(history: &History, jobs: &[String]) -> Vec<RecordedEvent> {
    let mut events = vec![];
    for job in jobs {
        events.extend(history.events(job).await.into_iter().filter(|event| event.event_type.starts_with("Chunk")));
    }
    events.sort_by_key(|event| event.cursor);
    events
}

/// How many chunks of the long job were begun while this job's only chunk waited. Those that a dead worker had begun
/// before do not count: they are done again as soon as they are missed.
fn overtaken_by(long: &str, job: &str, events: &[RecordedEvent]) -> usize {
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
async fn a_short_job_begins_after_one_chunk_of_a_long_one_also_when_a_worker_dies() {
    let cluster = Cluster::start().await;
    let (held, client, history) = (Held::start().await, cluster.client(), cluster.history());
    let long = client.submit_url(&held.talk(LONG)).await;
    history.until(&long, "ChunkTranscribed", 1).await;
    let mut jobs = vec![long.clone()];
    for number in 0..SHORT {
        // The worker dies with a chunk of the long job in its hands, or a short one; another comes.
        if number == 1 {
            cluster.kill(Role::Transcribe);
            cluster.launch(Role::Transcribe);
        }
        jobs.push(client.submit_url(&held.talk(1)).await);
    }
    for short in &jobs[1..] {
        client.completed(short).await;
        assert_heard_all(&client.result(short, "txt").await, 1);
    }
    let events = chunk_events(&history, &jobs).await;
    let planned = history.events(&long).await;
    let planned = planned.iter().find(|event| event.event_type == "ChunksPlanned").unwrap();
    assert!(planned.payload["chunks"].as_array().unwrap().len() > 10);
    for short in &jobs[1..] {
        let ahead = overtaken_by(&long, short, &events);
        assert!(ahead <= 1, "{ahead} chunks of the long job went before a short one");
    }
    let done = events.iter().filter(|event| event.aggregate_id == long && event.event_type == "ChunkTranscribed");
    assert!(done.count() < 10, "the short ones did not have to wait for the long one");
    client.completed(&long).await;
    assert_heard_all(&client.result(&long, "txt").await, LONG);
}
