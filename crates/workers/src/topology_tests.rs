use futures::future::join_all;
use ytcaption_domain::step::STEPS;
use ytcaption_testing::NatsServer;

use super::*;
use crate::testing::TestHarness;

#[test]
fn there_is_one_durable_consumer_for_each_queue_of_each_step() {
    assert_eq!(stream_config().name, "YTCAPTION_EVENTS");
    let consumers = consumer_configs(&STEPS);
    let names: Vec<&str> = consumers.iter().filter_map(|consumer| consumer.durable_name.as_deref()).collect();
    assert_eq!(
        names,
        [
            "download-high",
            "download-normal",
            "download-low",
            "transcribe-high",
            "transcribe-normal",
            "transcribe-low",
            "notify"
        ]
    );
    assert_eq!(consumers[1].filter_subjects, ["ytcaption.events.job.JobCreated.normal.*"]);
    assert_eq!(consumers[6].filter_subjects.len(), 3);
    assert!(consumers.iter().all(|consumer| consumer.ack_wait == ACK_WAIT && consumer.max_deliver == -1));
}

#[test]
fn versions_are_compared_as_numbers() {
    assert!(version_from("2.9.10").is_some_and(|version| version < OLDEST_SERVER));
    assert!(version_from("2.10.0").is_some_and(|version| version >= OLDEST_SERVER));
    assert!(version_from("v2.15.1-RC.1").is_some_and(|version| version >= OLDEST_SERVER));
    assert_eq!(version_from("unknown"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn ensuring_the_topology_twice_changes_nothing() {
    let harness = TestHarness::new().await;
    let jetstream = jetstream(&harness.deps.nats);
    let created = async || {
        let stream = jetstream.get_stream("YTCAPTION_EVENTS").await.expect("the stream exists");
        (stream.cached_info().created, stream.cached_info().state.consumer_count)
    };
    let before = created().await;
    assert_eq!(before.1, 7);
    ensure(&harness.deps.nats, &STEPS).await.expect("a second time");
    assert_eq!(created().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_start_together_with_different_definitions_do_not_end_each_other() {
    let server = tokio::task::spawn_blocking(NatsServer::start).await.expect("a nats-server");
    let mut versions = Vec::new();
    for version in 1..=6 {
        let client = nats::connect(&server.url()).await.expect("a valid URL");
        let window = Duration::from_secs(60 + version);
        let wait = Duration::from_secs(15 + version);
        let stream = stream::Config { duplicate_window: window, ..stream_config() };
        let consumers = consumer_configs(&STEPS);
        let consumers = consumers.into_iter().map(|consumer| pull::Config { ack_wait: wait, ..consumer });
        versions.push((client, stream, consumers.collect::<Vec<_>>()));
    }
    // Waits until each is connected.
    for (client, stream, consumers) in &versions {
        ensure_as(client, stream, consumers).await.expect("a suitable server");
    }
    let jetstream = jetstream(&versions[0].0);
    let mut superseded = 0;
    for round in 0..5 {
        jetstream.delete_stream("YTCAPTION_EVENTS").await.expect("the stream exists");
        let first = versions.iter().map(|(client, stream, consumers)| attempt(client, stream, consumers));
        for outcome in join_all(first).await {
            match outcome {
                Ok(()) => {}
                Err(EnsureError::Transient(reason)) => superseded += usize::from(reason.contains("already in use")),
                Err(EnsureError::Permanent(error)) => panic!("round {round}: {error}"),
            }
        }
        let again = versions.iter().map(|(client, stream, consumers)| ensure_as(client, stream, consumers));
        for outcome in join_all(again).await {
            outcome.expect("a superseded version tries again");
        }
    }
    assert!(superseded > 0, "they never met");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_jetstream_will_never_do_is_not_tried_for_ever() {
    let harness = TestHarness::new().await;
    let in_memory = stream::Config { storage: stream::StorageType::Memory, ..stream_config() };
    let outcome = ensure_as(&harness.deps.nats, &in_memory, &consumer_configs(&STEPS)).await;
    let Err(TopologyError::Refused { what, reason }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(what, "the stream YTCAPTION_EVENTS");
    assert!(reason.contains("storage"), "{reason}");
}

#[test]
fn the_steps_that_receive_a_subject_are_known() {
    for (subject, steps) in [
        ("ytcaption.events.job.JobCreated.low.0199", &["download"][..]),
        ("ytcaption.events.job.ChunkScheduled.high.0199", &["transcribe"]),
        ("ytcaption.events.job.JobCancelled.normal.0199", &["notify"]),
        ("ytcaption.events.job.ChunkTranscribed.normal.0199", &[]),
        ("ytcaption.events.job.JobCancelled.normal", &[]),
        ("ytcaption.events.job.JobCancelled.normal.0199.more", &[]),
    ] {
        assert_eq!(steps_of(&STEPS, subject), steps, "{subject}");
    }
    assert!(matches("a.>", "a.b.c") && !matches("a.>", "a") && !matches("a", "a.b"));
}
