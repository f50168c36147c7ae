//! Export and import, against a real Postgres.

use serde_json::json;
use uuid::Uuid;

use crate::encryption::KeysImported;
use crate::export::{End, ExportLine};
use crate::seal::{Chain, Link, Sealer, SealingKey, Verifier};
use crate::tests::{bus, context, create, database, first, start};
use crate::{Clock, Database, Exporter, ImportError, Imported, Importer};

async fn lines(database: &Database) -> Vec<String> {
    let mut export = Exporter::begin(database).await.expect("an answer");
    let mut lines = vec![];
    loop {
        let page = export.next_lines().await.expect("an answer");
        if page.is_empty() {
            assert_eq!(export.total(), export.events());
            return lines;
        }
        lines.extend(page);
    }
}

async fn import(database: &Database, lines: &[String]) -> Result<Imported, ImportError> {
    let mut import = Importer::begin(database.pool()).await?;
    for line in lines {
        import.add(line).await?;
    }
    import.finish(None).await
}

/// Events of two jobs, interleaved, with all that JSON can hold; the first five are sealed. Line 1 is the beginning, line
/// 7 the seal, line 9 the end.
async fn history() -> Vec<String> {
    let database = database().await;
    let bus = bus(&database);
    for id in [1, 2] {
        bus.create(Uuid::from_u128(id), create(), &context()).await.expect("a new job");
    }
    for id in [2, 1, 2] {
        bus.execute(Uuid::from_u128(id), start(), &context()).await.expect("it starts");
    }
    first(5, &database).await;
    let sealer = Sealer::new(&database, SealingKey::generate().expect("a key"), Clock::system());
    assert_eq!(sealer.seal_all().await.expect("an answer"), 5);
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
    assert_eq!(exported.len(), 9);
    let copy = database().await;
    let imported = import(&copy, &exported).await.expect("a sound export");
    assert_eq!(imported, Imported { events: 6, seals: 1, data_keys: KeysImported { with_key: 0, without_key: 2 } });
    first(6, &copy).await;
    assert_eq!(lines(&copy).await, exported);
    // A copy is a store like any other: its jobs go on, and its seals.
    bus(&copy).execute(Uuid::from_u128(1), start(), &context()).await.expect("it goes on");
    first(7, &copy).await;
    let sealer = Sealer::new(&copy, SealingKey::generate().expect("a key"), Clock::system());
    assert_eq!(sealer.seal_all().await.expect("an answer"), 2);
    let report = Verifier::trusting(vec![]).database(copy.pool(), |_| ()).await.expect("an answer");
    assert_eq!((report.events, report.sealed, report.findings), (7, 7, vec![]));
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
    // Line 6 is the second job's third event; line 4 its second.
    let gap: Vec<String> = without(4).collect();
    let duplicate = with(6, exported[3].clone());
    let same_id = with(
        3,
        exported[2].replace("\"event_id\"", "\"was\"").replace(
            "\"metadata\":{",
            &format!("\"metadata\":{{\"event_id\": {}, ", serde_json::json!(id_of(&exported[1]))),
        ),
    );
    let cut_line = with(8, exported[7][..40].to_owned());
    let anonymous = with(5, exported[4].replace("\"actor\"", "\"actress\""));
    let odd = with(2, exported[1].replace("\"sequence\"", "\"position\":7,\"sequence\""));
    let unstorable =
        framed(exported[1..6].iter().map(|line| line.replace("\"worker\": \"w\"", r#""worker": "\u0000""#)));
    let mut after_the_end = exported.clone();
    after_the_end.push(exported[1].clone());
    for (lines, line, word) in [
        (gap, "line 5:", "a gap: job 00000000-0000-0000-0000-000000000002 has event 3 here, but event 2"),
        (duplicate, "line 6:", "has had event 2 before"),
        (same_id, "line 3:", "another event has the id"),
        (cut_line, "line 8:", "not an exported event"),
        (with(3, String::new()), "line 3:", "not an exported event"),
        (anonymous, "line 5:", "`actor` is missing"),
        (odd, "line 2:", "unknown field `position`"),
        (unstorable, "lines 2 to 6:", "the database refuses them"),
        (exported[..8].to_vec(), "the export is cut off after line 8", "its last line is missing"),
        (with(8, exported[7].replace("☃", "☂")), "line 9:", "the 6 events before it are not those"),
        (with(2, exported[1].replace("\"auto\"", "\"pt\"")), "line 7:", "the 5 events before it are not those"),
        (without(7).collect(), "line 8:", "the 6 events before it are not those"),
        (without(1).collect(), "line 1:", "the first line of an export is missing"),
        (vec![], "the export is cut off after line 0", "its last line is missing"),
        (with(1, exported[0].replace("\"format\":1", "\"format\":2")), "line 1:", "a newer version"),
        (after_the_end, "line 10:", "the export has ended before"),
    ] {
        let copy = database().await;
        let refusal = import(&copy, &lines).await.expect_err("it is not sound").to_string();
        assert!(refusal.starts_with(line) && refusal.contains(word), "{line} {word}: {refusal}");
        assert!(refusal.contains("nothing was imported"), "{refusal}");
        let there: i64 =
            sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(copy.pool()).await.expect("a count");
        assert_eq!(there, 0, "{refusal}");
    }
}

/// An export of these events, without seals, that is complete in itself.
fn framed(events: impl Iterator<Item = String>) -> Vec<String> {
    let mut chain = Chain::default();
    let mut lines = vec![r#"{"ytcaption_events_export":{"format":1,"seals":0}}"#.to_owned()];
    for line in events {
        let ExportLine::Event(event) = ExportLine::parse(&line).expect("an event") else { panic!("{line}") };
        chain.add(Link::from_event(&event).expect("an event").hash);
        lines.push(line);
    }
    lines.push(json!({ "ytcaption_events_end": End::from_chain(chain) }).to_string());
    lines
}

fn id_of(line: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
    event["metadata"]["event_id"].as_str().expect("a text").to_owned()
}
