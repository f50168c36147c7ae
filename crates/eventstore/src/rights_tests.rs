//! What the role of the services can and cannot do, and how a schema is waited for, in a real Postgres.

use std::time::Duration;

use sqlx::Executor as _;
use url::Url;

use crate::tests::{bus, context, create, first};
use crate::{Database, DatabaseError};

fn open(url: &str) -> Database {
    Database::open(&url.into(), 4).expect("a valid URL").with_master_keys(crate::tests::master_keys())
}

async fn new_database() -> String {
    tokio::task::spawn_blocking(|| ytcaption_testing::Postgres::shared().new_database()).await.expect("a database")
}

/// The same database as another role.
fn as_role(url: &str, role: &str) -> Database {
    let mut url: Url = url.parse().expect("a URL");
    url.set_username(role).expect("a URL with a host");
    open(url.as_str())
}

/// A database with its owner and the services in it; each test has a role of its own, as they share a cluster.
async fn owner_and_service(role: &str) -> (Database, Database) {
    let url = new_database().await;
    let owner = open(&url);
    owner.prepare().await.expect("the schema can be made");
    owner.grant_service_role(role, Some("it's secret")).await.expect("a role");
    let service = as_role(&url, role);
    service.prepare().await.expect("the schema is there");
    (owner, service)
}

#[tokio::test]
async fn the_services_add_and_read_events_and_change_none() {
    let (owner, service) = owner_and_service("svc_events").await;
    let id = uuid::Uuid::from_u128(1);
    bus(&service).create(id, create(), &context()).await.expect("a new job");
    first(1, &service).await;
    for sql in [
        "UPDATE events SET payload = '{}'",
        "DELETE FROM events",
        "TRUNCATE events",
        "DROP TABLE events",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "ALTER TABLE events ADD COLUMN note text",
        "CREATE TABLE mine (note text)",
        "UPDATE seals SET note = ''",
        "DELETE FROM seals",
        "DROP TABLE seals",
        "DROP TABLE jobs",
        "DELETE FROM _sqlx_migrations",
        "DROP FUNCTION refuse_change() CASCADE",
        "SELECT adopt_restored_events()",
        "SET session_replication_role = replica",
    ] {
        let refusal = service.pool().execute(sql).await.expect_err(sql).to_string();
        assert!(refusal.contains("permission denied") || refusal.contains("must be owner"), "{sql}: {refusal}");
    }
    for sql in [
        "DELETE FROM jobs",
        "UPDATE checkpoints SET position = 0",
        "DELETE FROM parked_events",
        "DELETE FROM relay_stream",
    ] {
        service.pool().execute(sql).await.expect(sql);
    }
    let import = crate::Importer::begin(service.pool()).await.err().expect("only the owner may");
    assert!(matches!(import, crate::ImportError::NotOwner), "{import}");
    // The owner neither, unless he takes the trigger away first.
    for sql in ["UPDATE events SET payload = '{}'", "DELETE FROM events", "TRUNCATE events"] {
        let refusal = owner.pool().execute(sql).await.expect_err(sql).to_string();
        assert!(refusal.contains("never changed"), "{sql}: {refusal}");
    }
    let on_purpose = "ALTER TABLE events DISABLE TRIGGER events_append_only; DELETE FROM events;
                      ALTER TABLE events ENABLE TRIGGER events_append_only";
    owner.pool().execute(sqlx::raw_sql(on_purpose)).await.expect("the owner can");
}

#[tokio::test]
async fn rights_are_given_again_without_harm_and_to_two_at_once() {
    let (owner, _) = owner_and_service("svc_again").await;
    let (one, two) =
        tokio::join!(owner.grant_service_role("svc_again", None), owner.grant_service_role("svc_again", Some("other")));
    one.and(two).expect("it is let in already");
    // A name and a password that SQL must not take apart.
    owner.grant_service_role("svc \"odd\" ö", Some("a'b\\c")).await.expect("a role of that name");
}

#[tokio::test]
async fn the_services_wait_for_the_schema_and_refuse_a_newer_one() {
    let url = new_database().await;
    let owner = open(&url);
    owner.pool().execute("CREATE ROLE svc_waits LOGIN").await.expect("a role");
    owner.pool().execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC").await.expect("as from Postgres 15 on");
    let service = as_role(&url, "svc_waits");
    let waiting = service.clone();
    let waiting = tokio::spawn(async move { waiting.prepare().await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished(), "there is no schema yet");
    owner.prepare().await.expect("the schema can be made");
    owner.grant_service_role("svc_waits", None).await.expect("a role");
    waiting.await.expect("no panic").expect("the schema is there");

    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'of the future', true, '', 0)";
    owner.pool().execute(newer).await.expect("a row");
    for database in [&owner, &service] {
        assert!(matches!(database.prepare().await, Err(DatabaseError::NewerSchema { found: 9999, .. })));
    }
}

#[tokio::test]
async fn events_of_another_cluster_are_noticed_and_adopted_in_their_order() {
    let (owner, service) = owner_and_service("svc_restored").await;
    let bus = bus(&service);
    for job in 1..=5 {
        bus.create(uuid::Uuid::from_u128(job), create(), &context()).await.expect("a new job");
    }
    let before = first(5, &service).await;
    let order = [4, 1, 5, 2, 3];
    // As after pg_restore into a young cluster: transaction ids of the future, not in the order of the positions.
    let future = "ALTER TABLE events DISABLE TRIGGER events_append_only;
         UPDATE events SET transaction_id = (100000000000 + array_position(ARRAY[4,1,5,2,3], right(aggregate_id, 1)::int))::text::xid8;
         ALTER TABLE events ENABLE TRIGGER events_append_only;
         INSERT INTO checkpoints (name, transaction_id, position)
         SELECT 'third', transaction_id, position FROM events WHERE aggregate_id LIKE '%5'";
    owner.pool().execute(sqlx::raw_sql(future)).await.expect("the owner can");
    assert!(matches!(service.prepare().await, Err(DatabaseError::Restored)));
    assert!(crate::Feed::new(&service).after(crate::Cursor::default(), 9).await.expect("rows").is_empty());

    let adopt = || sqlx::query_scalar::<_, i64>("SELECT adopt_restored_events()").fetch_one(owner.pool());
    assert_eq!(adopt().await.expect("the owner can"), 5);
    assert_eq!(adopt().await.expect("the owner can"), 0, "once is enough");
    service.prepare().await.expect("now it can be read");
    let after = first(5, &service).await;
    let jobs: Vec<u128> =
        after.iter().map(|event| event.aggregate_id.parse::<uuid::Uuid>().expect("an id").as_u128()).collect();
    assert_eq!(jobs, order);
    assert_eq!(before.len(), after.len());
    // The checkpoint is after the same event as before, and later events follow all others.
    let third = crate::Checkpoints::new(service.pool().clone(), "third").get().await.expect("a place");
    assert_eq!(third, after[2].cursor);
    bus.create(uuid::Uuid::from_u128(6), create(), &context()).await.expect("a new job");
    assert_eq!(first(6, &service).await[5].aggregate_id, uuid::Uuid::from_u128(6).to_string());
}

#[tokio::test]
async fn what_keeps_a_process_from_its_database_is_said_with_what_to_do() {
    let existing = new_database().await;
    let url = |change: fn(&mut Url)| {
        let mut url: Url = existing.parse().expect("a URL");
        change(&mut url);
        String::from(url)
    };
    for (url, said) in [
        (url(|url| url.set_username("unknown_role").expect("a URL with a host")), "ytcaption migrate"),
        (url(|url| url.set_path("not_there")), "createdb"),
    ] {
        let database = Database::open(&url.into(), 1).expect("a valid URL");
        let reason = crate::await_server::obstacle(&database).await.expect("it cannot connect");
        assert!(reason.contains(said), "{reason}");
    }
    let database = Database::open(&existing.into(), 1).expect("a valid URL");
    assert_eq!(crate::await_server::obstacle(&database).await, None);
}
