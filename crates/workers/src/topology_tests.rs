use super::*;
use crate::testing::House;

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
            let known = ["TranscriptionJobCreated", "ChunkScheduled", "TranscriptionCompleted"]
                .into_iter()
                .chain(["TranscriptionFailed", "JobCancelled"])
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
    let house = House::new().await;
    let jetstream = jetstream(&house.deps.nats);
    let created = async || {
        let stream = jetstream.get_stream("YTCAPTION_EVENTS").await.expect("the stream is there");
        (stream.cached_info().created, stream.cached_info().state.consumer_count)
    };
    let before = created().await;
    assert_eq!(before.1, 7);
    ensure(&house.deps.nats).await.expect("a second time");
    assert_eq!(created().await, before);
}

#[test]
fn it_is_known_who_is_given_what() {
    for (subject, stages) in [
        ("ytcaption.events.job.TranscriptionJobCreated.low.0199", &["download"][..]),
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
