use futures::future::join_all;
use ytcaption_testing::NatsServer;

use super::*;
use crate::testing::TestHarness;

#[test]
fn the_files_describe_the_stream_and_one_durable_consumer_each() {
    let stream = stream_config();
    assert_eq!(stream.name, "YTCAPTION_EVENTS");
    let consumers = consumer_configs();
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
    for consumer in consumers {
        assert_eq!(consumer.ack_wait, Duration::from_secs(15));
        assert!(consumer.max_deliver == -1 && !consumer.filter_subjects.is_empty());
        for subject in consumer.filter_subjects {
            let event = subject.split('.').nth(3).unwrap_or_default();
            let known = ["JobCreated", "ChunkScheduled", "JobCompleted"]
                .into_iter()
                .chain(["JobFailed", "JobCancelled"])
                .any(|name| name == event);
            assert!(known && subject.starts_with("ytcaption.events.job."), "{subject}");
        }
    }
}

#[test]
fn versions_are_compared_as_numbers() {
    assert!(version_of("2.9.10").is_some_and(|version| version < OLDEST_SERVER));
    assert!(version_of("2.10.0").is_some_and(|version| version >= OLDEST_SERVER));
    assert!(version_of("v2.15.1-RC.1").is_some_and(|version| version >= OLDEST_SERVER));
    assert_eq!(version_of("unknown"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn making_sure_twice_changes_nothing() {
    let harness = TestHarness::new().await;
    let jetstream = jetstream(&harness.deps.nats);
    let created = async || {
        let stream = jetstream.get_stream("YTCAPTION_EVENTS").await.expect("the stream is there");
        (stream.cached_info().created, stream.cached_info().state.consumer_count)
    };
    let before = created().await;
    assert_eq!(before.1, 7);
    ensure(&harness.deps.nats).await.expect("a second time");
    assert_eq!(created().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_start_together_with_different_definitions_do_not_end_each_other() {
    let server = tokio::task::spawn_blocking(NatsServer::start).await.expect("a nats-server");
    let mut versions = Vec::new();
    for version in 1..=6 {
        let client = nats::connect(&server.url()).await.expect("a good address");
        let window = Duration::from_secs(60 + version);
        let wait = Duration::from_secs(15 + version);
        let stream = stream::Config { duplicate_window: window, ..stream_config() };
        let consumers = consumer_configs().into_iter().map(|consumer| pull::Config { ack_wait: wait, ..consumer });
        versions.push((client, stream, consumers.collect::<Vec<_>>()));
    }
    // Waits until each is connected.
    for (client, stream, consumers) in &versions {
        ensure_as(client, stream, consumers).await.expect("a server that can do it");
    }
    let jetstream = jetstream(&versions[0].0);
    let mut superseded = 0;
    for round in 0..5 {
        jetstream.delete_stream("YTCAPTION_EVENTS").await.expect("there is one");
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
            outcome.expect("whoever is superseded tries again");
        }
    }
    assert!(superseded > 0, "they never met");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_jetstream_will_never_do_is_not_tried_for_ever() {
    let harness = TestHarness::new().await;
    let in_memory = stream::Config { storage: stream::StorageType::Memory, ..stream_config() };
    let outcome = ensure_as(&harness.deps.nats, &in_memory, &consumer_configs()).await;
    let Err(TopologyError::Refused { what, reason }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(what, "the stream YTCAPTION_EVENTS");
    assert!(reason.contains("storage"), "{reason}");
}

#[test]
fn it_is_known_who_is_given_what() {
    for (subject, stages) in [
        ("ytcaption.events.job.JobCreated.low.0199", &["download"][..]),
        ("ytcaption.events.job.ChunkScheduled.high.0199", &["transcribe"]),
        ("ytcaption.events.job.JobCancelled.normal.0199", &["notify"]),
        ("ytcaption.events.job.ChunkTranscribed.normal.0199", &[]),
        ("ytcaption.events.job.JobCancelled.normal", &[]),
        ("ytcaption.events.job.JobCancelled.normal.0199.more", &[]),
    ] {
        assert_eq!(stages_of(subject), stages, "{subject}");
    }
    assert!(matches("a.>", "a.b.c") && !matches("a.>", "a") && !matches("a", "a.b"));
}
