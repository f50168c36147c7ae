//! Export and import, against a real Postgres.

use uuid::Uuid;

use crate::tests::{bus, context, create, database, first, start};
use crate::{Database, Exporter, ImportError, Importer};

async fn lines(database: &Database) -> Vec<String> {
    let mut export = Exporter::begin(database.pool().clone()).await.expect("an answer");
    let mut lines = vec![];
    loop {
        let page = export.next_page().await.expect("an answer");
        if page.is_empty() {
            assert_eq!(export.total(), lines.len() as u64);
            return lines;
        }
        lines.extend(page.iter().map(|event| event.to_line().expect("plain data")));
    }
}

async fn import(database: &Database, lines: &[String]) -> Result<u64, ImportError> {
    let mut import = Importer::begin(database.pool()).await?;
    for line in lines {
        import.add(line).await?;
    }
    import.finish().await
}

/// Events of two jobs, interleaved, with all that JSON can hold.
async fn history() -> Vec<String> {
    let database = database().await;
    let bus = bus(&database);
    for id in [1, 2] {
        bus.create(Uuid::from_u128(id), create(), &context()).await.expect("a new job");
    }
    for id in [2, 1, 2] {
        bus.execute(Uuid::from_u128(id), start(), &context()).await.expect("it starts");
    }
    // Numbers beyond a double, text beyond ASCII, keys out of order: kept as they are.
    sqlx::query(
        r#"INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
           SELECT 'other', 'ö "1"', 1, 'FromTheFuture', '9',
                  '{"z": 0.12345678901234567890123, "a": 1.10, "text": "line\nbreak ☃ \\ \""}',
                  metadata || '{"event_id": "00000000-0000-0000-0000-0000000000ff", "more": "kept"}'
             FROM events WHERE sequence = 1 LIMIT 1"#,
    )
    .execute(database.pool())
    .await
    .expect("a row of the right shape");
    first(6, &database).await;
    lines(&database).await
}

#[tokio::test]
async fn an_imported_store_exports_the_same_bytes() {
    let exported = history().await;
    assert_eq!(exported.len(), 6);
    let copy = database().await;
    assert_eq!(import(&copy, &exported).await.expect("a sound export"), 6);
    first(6, &copy).await;
    assert_eq!(lines(&copy).await, exported);
    // A copy is a store like any other: its jobs go on.
    bus(&copy).execute(Uuid::from_u128(1), start(), &context()).await.expect("it goes on");
}

#[tokio::test]
async fn a_store_that_is_not_empty_takes_no_import() {
    let exported = history().await;
    let copy = database().await;
    import(&copy, &exported).await.expect("a sound export");
    let again = import(&copy, &exported).await;
    assert!(matches!(again, Err(ImportError::NotEmpty(6))), "{again:?}");
}

#[tokio::test]
async fn a_line_that_cannot_follow_is_named_and_nothing_is_imported() {
    let exported = history().await;
    let without = |line: usize| exported.iter().enumerate().filter(move |(n, _)| n + 1 != line).map(|(_, l)| l.clone());
    let with = |line: usize, text: String| {
        let mut lines = exported.clone();
        lines[line - 1] = text;
        lines
    };
    // Line 5 is the second job's third event; line 3 its second.
    let gap: Vec<String> = without(3).collect();
    let duplicate = with(5, exported[2].clone());
    let same_id = with(
        2,
        exported[1].replace("\"event_id\"", "\"was\"").replace(
            "\"metadata\":{",
            &format!("\"metadata\":{{\"event_id\": {}, ", serde_json::json!(id_of(&exported[0]))),
        ),
    );
    let cut_off = with(6, exported[5][..40].to_owned());
    let anonymous = with(4, exported[3].replace("\"actor\"", "\"actress\""));
    let odd = with(1, exported[0].replace("\"sequence\"", "\"position\":7,\"sequence\""));
    let unstorable = with(4, exported[3].replace("\"worker\": \"w\"", r#""worker": "\u0000""#));
    for (lines, line, word) in [
        (gap, "line 4:", "a gap: job 00000000-0000-0000-0000-000000000002 has event 3 here, but event 2"),
        (duplicate, "line 5:", "has had event 2 before"),
        (same_id, "line 2:", "another event has the id"),
        (cut_off, "line 6:", "no exported event"),
        (with(2, String::new()), "line 2:", "no exported event"),
        (anonymous, "line 4:", "`actor` is missing"),
        (odd, "line 1:", "unknown field `position`"),
        (unstorable, "lines 1 to 6:", "the database refuses them"),
    ] {
        let copy = database().await;
        let refusal = import(&copy, &lines).await.expect_err("it is not sound").to_string();
        assert!(refusal.starts_with(line) && refusal.contains(word), "{line} {word}: {refusal}");
        assert!(refusal.ends_with("nothing was imported"), "{refusal}");
        let there: i64 =
            sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(copy.pool()).await.expect("a count");
        assert_eq!(there, 0, "{refusal}");
    }
}

fn id_of(line: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
    event["metadata"]["event_id"].as_str().expect("a text").to_owned()
}
