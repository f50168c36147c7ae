//! Questions about the past, against a real Postgres.

use std::time::Duration;

use chrono::TimeDelta;
use futures::{StreamExt as _, TryStreamExt as _};
use uuid::Uuid;
use ytcaption_domain::JobId;
use ytcaption_domain::delivery::{Delivery, DeliveryCommand, delivery_id};
use ytcaption_domain::job::JobCommand;

use crate::tests::{bus, context, create, database, first, start};
use crate::{
    Appender, Clock, CommandBus, Cursor, Database, EventListener, EventQuery, EventReader, IdGenerator, RecordedEvent,
};

/// Two jobs; the first was cancelled and its webhook notified. Five events.
async fn two_jobs(database: &Database) -> [JobId; 2] {
    let bus = bus(database);
    let jobs = [JobId(Uuid::from_u128(1)), JobId(Uuid::from_u128(2))];
    let other = ytcaption_domain::CommandContext {
        actor: ytcaption_domain::Actor::Worker("download@host:1".into()),
        correlation_id: Uuid::from_u128(8),
        ..context()
    };
    bus.create(jobs[0].0, create(), &context()).await.expect("a new job");
    bus.create(jobs[1].0, create(), &other).await.expect("a new job");
    bus.execute(jobs[1].0, start(), &other).await.expect("it starts");
    bus.execute(jobs[0].0, JobCommand::Cancel { reason: None }, &context()).await.expect("it is cancelled");
    let end = first(4, database).await.pop().expect("four events");
    let deliveries: CommandBus<Delivery> =
        CommandBus::new(database, Appender::start(database), Clock::system(), IdGenerator::system());
    let delivered = DeliveryCommand::RecordDelivered { job_id: jobs[0], host: "example.org".into(), http_status: 200 };
    deliveries.create(delivery_id(end.metadata.event_id), delivered, &context()).await.expect("a new delivery");
    first(5, database).await;
    jobs
}

fn names(events: &[RecordedEvent]) -> Vec<&str> {
    events.iter().map(|event| event.event_type.as_str()).collect()
}

#[tokio::test]
async fn every_filter_finds_its_events_and_no_others() {
    let database = database().await;
    let jobs = two_jobs(&database).await;
    let reader = EventReader::new(&database);
    let all = reader.page(&EventQuery::default(), Cursor::default(), 100).await.expect("an answer");
    let third = all[2].recorded_at;
    let none = EventQuery::default();
    let cases = [
        (none.clone(), 5),
        (EventQuery { data_key: Some(jobs[0].0), ..none.clone() }, 3),
        (EventQuery { data_key: Some(jobs[0].0), aggregate_type: Some("delivery".into()), ..none.clone() }, 1),
        (EventQuery { data_key: Some(Uuid::from_u128(9)), ..none.clone() }, 0),
        (EventQuery { event_type: Some("JobCreated".into()), ..none.clone() }, 2),
        (EventQuery { event_type: Some("Created%".into()), ..none.clone() }, 0),
        (EventQuery { actor: Some("client:test".into()), ..none.clone() }, 3),
        (EventQuery { actor: Some("worker:download".into()), ..none.clone() }, 2),
        (EventQuery { since: Some(third), ..none.clone() }, 3),
        (EventQuery { until: Some(third), ..none.clone() }, 2),
        (EventQuery { since: Some(third), until: Some(third), ..none.clone() }, 0),
        (EventQuery { since: Some(third + TimeDelta::days(1)), ..none.clone() }, 0),
        (EventQuery { correlation_id: Some(Uuid::from_u128(8)), ..none.clone() }, 2),
    ];
    for (query, expected) in cases {
        let found = reader.page(&query, Cursor::default(), 100).await.expect("an answer");
        assert_eq!(found.len(), expected, "{query:?} found {:?}", names(&found));
    }
    let events = reader.with_data_key(jobs[0].0).await.expect("an answer");
    assert_eq!(names(&events), ["JobCreated", "JobCancelled", "WebhookDelivered"]);
}

#[tokio::test]
async fn pages_go_on_where_they_ended_and_the_newest_come_in_order() {
    let database = database().await;
    two_jobs(&database).await;
    let reader = EventReader::new(&database);
    let query = EventQuery::default();
    let (mut after, mut walked) = (Cursor::default(), vec![]);
    loop {
        let page = reader.page(&query, after, 2).await.expect("an answer");
        let Some(last) = page.last() else { break };
        after = last.cursor;
        walked.extend(page);
    }
    let streamed: Vec<_> = reader.pages(query.clone(), Cursor::default()).try_concat().await.expect("an answer");
    assert_eq!((walked.len(), &walked), (5, &streamed));
    assert_eq!(reader.newest(&query, 2).await.expect("an answer"), walked[3..]);
    let second = walked[1].metadata.event_id;
    assert_eq!(reader.find(second).await.expect("an answer").as_ref(), Some(&walked[1]));
    assert_eq!(reader.find(Uuid::nil()).await.expect("an answer"), None);
}

#[tokio::test]
async fn a_follower_sees_new_events_of_its_query_only() {
    let database = database().await;
    let reader = EventReader::new(&database);
    let query = EventQuery { event_type: Some("DownloadStarted".into()), ..EventQuery::default() };
    let follow = reader.follow(query, Cursor::default(), EventListener::start(&database));
    let mut follow = std::pin::pin!(follow);
    assert!(tokio::time::timeout(Duration::from_millis(50), follow.next()).await.is_err(), "there is nothing yet");
    let jobs = two_jobs(&database).await;
    let page = tokio::time::timeout(Duration::from_secs(20), follow.next()).await.expect("in time");
    let page = page.expect("without end").expect("an answer");
    assert_eq!(names(&page), ["DownloadStarted"]);
    assert_eq!(page[0].aggregate_id, jobs[1].to_string());
}
