//! Forgotten transactions, in a Postgres of their own: they hold back every reader of its cluster.

use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;
use ytcaption_testing::Postgres;

use super::*;
use crate::tests::{bus, context, create};
use crate::{Cursor, Database, Feed};

/// Waits until the horizon looks as wanted.
async fn until(horizon: &Horizon, wanted: impl Fn(&HorizonView) -> bool) -> HorizonView {
    loop {
        let view = horizon.look().await.expect("the database answers");
        if wanted(&view) {
            return view;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_forgotten_transaction_is_named_and_can_be_ended_as_is_said() {
    let server = Postgres::start("off");
    let database =
        Database::open(&server.new_database().into(), 4).expect("a URL").with_master_keys(crate::tests::master_keys());
    database.prepare().await.expect("the schema can be made");
    let horizon = Horizon::new(database.pool().clone());
    until(&horizon, |view| view.waiting.is_zero() && view.blocking.is_none()).await;

    // In another database of the same server, as somebody's script would.
    let elsewhere = format!("{}?application_name=nightly%20script", server.new_database());
    let mut forgotten = PgConnection::connect(&elsewhere).await.expect("it is reached");
    for statement in ["CREATE TABLE notes (text text)", "BEGIN", "INSERT INTO  notes\n VALUES ('my secret')"] {
        sqlx::query(statement).execute(&mut forgotten).await.expect("it is carried out");
    }
    bus(&database).create(Uuid::from_u128(1), create(), &context()).await.expect("a new job");
    let feed = Feed::new(&database);
    assert_eq!(feed.after(Cursor::default(), 10).await.expect("the feed answers"), []);

    let view = until(&horizon, |view| view.waiting > Duration::from_millis(50)).await;
    let blocking = view.blocking.clone().expect("somebody holds it");
    assert_eq!(blocking.application.as_deref(), Some("nightly script"));
    assert_eq!(blocking.user_name.as_deref(), Some("ytcaption"));
    assert_eq!(blocking.database.as_deref(), Some("test_1"));
    assert_eq!(blocking.client.as_deref(), Some("127.0.0.1"));
    assert_eq!(blocking.state.as_deref(), Some("idle in transaction"));
    assert_eq!(blocking.query.as_deref(), Some("INSERT INTO notes VALUES (…"));
    assert!(blocking.age.is_some_and(|age| age > 0.0));
    let said = blocking.to_string();
    let begins =
        format!("a transaction of nightly script (pid {}), user ytcaption, database test_1", blocking.pid.unwrap_or(0));
    assert!(said.starts_with(&begins) && said.ends_with("last query: INSERT INTO notes VALUES (…"), "{said}");
    assert!(!view.is_stalled(), "a moment is normal");

    sqlx::query(&blocking.remedy()).execute(database.pool()).await.expect("the statement is valid as it is");
    until(&horizon, |view| view.waiting.is_zero() && view.blocking.is_none()).await;
    assert_eq!(feed.after(Cursor::default(), 10).await.expect("the feed answers").len(), 1);

    // A prepared transaction has no session that could be ended.
    let mut session = PgConnection::connect(&elsewhere).await.expect("it is reached");
    for statement in ["BEGIN", "INSERT INTO notes VALUES ('more')", "PREPARE TRANSACTION 'half ''done'"] {
        sqlx::query(statement).execute(&mut session).await.expect("it is carried out");
    }
    session.close().await.expect("the session ends");
    bus(&database).create(Uuid::from_u128(2), create(), &context()).await.expect("a new job");
    let blocking = until(&horizon, |view| !view.waiting.is_zero()).await.blocking.expect("somebody holds it");
    assert_eq!((blocking.pid, blocking.prepared.as_deref()), (None, Some("'half ''done'")));
    let remedy = blocking.remedy();
    let (sql, how) = remedy.split_once(" (or COMMIT PREPARED), ").expect("it names both ways");
    assert_eq!(how, "connected to the database test_1");
    let mut there = PgConnection::connect(&elsewhere).await.expect("it is reached");
    sqlx::query(sql).execute(&mut there).await.expect("the statement is valid as it is");
    until(&horizon, |view| view.waiting.is_zero() && view.blocking.is_none()).await;
    assert_eq!(feed.after(Cursor::default(), 10).await.expect("the feed answers").len(), 2);
}

#[test]
fn of_a_query_nothing_is_shown_that_may_be_a_secret() {
    for (query, shown) in [
        ("ALTER ROLE x PASSWORD 'hush'", "ALTER ROLE x PASSWORD…"),
        ("DO $$ BEGIN END $$", "DO…"),
        ("  SELECT\n1 ", "SELECT 1"),
        ("", ""),
    ] {
        assert_eq!(beginning(query), shown);
    }
    assert_eq!(beginning(&"ä ".repeat(200)).chars().count(), QUERY_CHARACTERS + 1);
}
