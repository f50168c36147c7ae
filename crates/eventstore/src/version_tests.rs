//! Events of every version, newer ones and corrupt ones, in a real store.

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::PgPool;
use uuid::Uuid;
use ytcaption_domain::Routed;
use ytcaption_domain::event::{EventFamily, EventType};
use ytcaption_domain::job::JobEvent;
use ytcaption_domain::upcast::{Upcast, Upcaster};

use super::tests::{bus, context, create, database, first, start};
use super::*;

/// A payload whose content is not looked at.
fn created() -> Value {
    json!({
        "type": "JobCreated", "account": "default", "priority": "high", "language": "pt",
        "source": { "kind": "url", "url": "https://example.org/v" },
    })
}

fn metadata(id: u128) -> Value {
    json!({
        "event_id": Uuid::from_u128(id), "data_key": Uuid::from_u128(id), "occurred_at": "2026-01-31T14:05:00Z", "route": "high", "account": "default",
        "actor": "client:test", "correlation_id": Uuid::from_u128(7),
    })
}

/// Writes an event as another program would.
async fn store(pool: &PgPool, kind: &str, id: Uuid, sequence: i64, event: (&str, &str), payload: Value, about: Value) {
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(kind)
    .bind(id.to_string())
    .bind(sequence)
    .bind(event.0)
    .bind(event.1)
    .bind(payload)
    .bind(about)
    .execute(pool)
    .await
    .expect("a row as any other");
}

#[tokio::test]
async fn an_event_of_the_future_stops_its_own_job_and_no_other() {
    let database = database().await;
    let bus = bus(&database);
    for (n, name, version, said) in [
        (1, "JobCreated", "3", "knows this event up to version 2; a newer version"),
        (2, "JobPaused", "1", "knows no event of this type; a newer version"),
        (3, "JobCreated", "1", "does not fit its schema, docs/events/JobCreated.v1.json"),
    ] {
        let id = Uuid::from_u128(n);
        store(database.pool(), "job", id, 1, (name, version), json!({ "type": name }), metadata(n)).await;
        let Err(CommandError::Unreadable(refusal)) = bus.execute(id, start(), &context()).await else {
            panic!("{name} version {version} cannot be understood");
        };
        let about = format!("event 1 of job {id}, {name} version {version} at ");
        assert!(refusal.starts_with(&about) && refusal.contains(said), "{refusal}");
    }
    let other = Uuid::from_u128(9);
    bus.create(other, create(), &context()).await.expect("a new job");
    bus.execute(other, start(), &context()).await.expect("another job is not affected");
}

#[tokio::test]
async fn one_corrupt_event_hides_no_other() {
    let database = database().await;
    let mut corrupt = metadata(1);
    corrupt["correlation_id"] = json!("none");
    let id = Uuid::from_u128(1);
    store(database.pool(), "job", id, 1, ("JobCreated", "1"), created(), corrupt.clone()).await;
    store(database.pool(), "job", id, 2, ("JobCancelled", "1"), json!({ "type": "JobCancelled" }), json!([1])).await;
    let id = Uuid::from_u128(2);
    store(database.pool(), "job", id, 1, ("JobCreated", "1"), created(), metadata(3)).await;
    let page = first(3, &database).await;
    let errors: Vec<Option<String>> =
        page.iter().map(|event| event.corrupt.as_ref().map(ToString::to_string)).collect();
    let said = |key| Some(format!("event metadata: `{key}` is missing or malformed"));
    assert_eq!(errors, [said("correlation_id"), said("metadata"), None]);
    assert_eq!(page[0].metadata.context.actor.to_string(), "client:test", "what can be read is shown");
    let refusal = page[0].decode::<JobEvent>().expect_err("a corrupt event is not applied").to_string();
    assert!(refusal.contains("`correlation_id` is missing") && refusal.contains("from a backup"), "{refusal}");
    let shown = json!(page[0]);
    assert_eq!((&shown["metadata"], &shown["corrupt"]), (&corrupt, &json!(errors[0])));
    assert_eq!(json!(page[2]).get("corrupt"), None);
    let query = EventQuery { event_type: Some("JobCreated".into()), ..EventQuery::default() };
    let reader = EventReader::new(&database);
    assert_eq!(reader.page(&query, Cursor::default(), 10).await.expect("the page is there").len(), 2);
}

#[tokio::test]
async fn a_program_older_than_the_schema_says_so() {
    let database = database().await;
    database.check_schema().await.expect("the schema is its own");
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', true, '', 0)",
    )
    .execute(database.pool())
    .await
    .expect("a row as a newer program would write it");
    for refusal in [database.prepare().await, database.check_schema().await] {
        let refusal = refusal.expect_err("the schema is of a newer program").to_string();
        assert!(refusal.contains("by a newer version") && refusal.contains("step 9999"), "{refusal}");
    }
}

/// A walker; once both axes were one event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Walker {
    east: i64,
    north: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Walked {
    WentEast { metres: i64 },
    WentNorth { metres: i64 },
}

impl DomainEvent for Walked {
    fn event_type(&self) -> String {
        match self {
            Self::WentEast { .. } => "WentEast".into(),
            Self::WentNorth { .. } => "WentNorth".into(),
        }
    }

    fn event_version(&self) -> String {
        "1".into()
    }
}

const fn event_type(name: &'static str, version: u32) -> EventType {
    EventType { aggregate: "walk", name, version, personal: &[] }
}

impl EventFamily for Walked {
    // `Went` is not written any more, in no version.
    const TYPES: &'static [EventType] = &[event_type("WentEast", 1), event_type("WentNorth", 1), event_type("Went", 2)];
    const UPCASTERS: &'static [Upcaster] = &[Upcaster { name: "Went", version: 1, upcast: both_axes }];
}

fn both_axes(mut payload: Map<String, Value>) -> Result<Vec<Upcast>, String> {
    let mut part = |axis, name| {
        let metres = payload.remove(axis).ok_or_else(|| format!("it has no `{axis}`"))?;
        Ok::<_, String>(Upcast { name, version: 1, payload: Map::from_iter([("metres".to_owned(), metres)]) })
    };
    Ok(vec![part("x", "WentEast")?, part("y", "WentNorth")?])
}

impl Aggregate for Walker {
    const TYPE: &'static str = "walker";
    type Command = i64;
    type Event = Walked;
    type Error = std::convert::Infallible;
    type Services = ();

    async fn handle(&mut self, metres: i64, (): &(), sink: &EventSink<Self>) -> Result<(), Self::Error> {
        sink.write(Walked::WentNorth { metres }, self).await;
        Ok(())
    }

    fn apply(&mut self, event: Walked) {
        match event {
            Walked::WentEast { metres } => self.east += metres,
            Walked::WentNorth { metres } => self.north += metres,
        }
    }
}

impl Routed for Walker {
    fn route(&self) -> &'static str {
        "foot"
    }
}

#[tokio::test]
async fn what_one_event_has_become_shares_its_place_so_versions_count_what_is_stored() {
    let database = database().await;
    let appender = Appender::start(&database);
    let walkers: CommandBus<Walker> = CommandBus::new(&database, appender, Clock::system(), IdGenerator::system());
    let id = Uuid::from_u128(1);
    store(database.pool(), "walker", id, 1, ("Went", "1"), json!({ "type": "Went", "x": 3, "y": 4 }), metadata(1))
        .await;
    assert_eq!(walkers.load(id).await.expect("readable"), (Walker { east: 3, north: 4 }, 1));
    let gone = walkers.execute(id, 10, &context()).await.expect("the next event has the next number");
    assert_eq!((gone.version, &gone.aggregate), (2, &Walker { east: 3, north: 14 }));
    assert_eq!(walkers.load(id).await.expect("readable"), (gone.aggregate, 2));
    let stored = first(2, &database).await;
    let parts: Vec<Walked> = stored[0].decode().expect("readable");
    assert_eq!(parts, [Walked::WentEast { metres: 3 }, Walked::WentNorth { metres: 4 }]);
    // An upcaster may fail; the others go on.
    let broken = Uuid::from_u128(2);
    store(database.pool(), "walker", broken, 1, ("Went", "1"), json!({ "type": "Went", "x": 3 }), metadata(2)).await;
    let refusal = walkers.load(broken).await.expect_err("it lacks an axis").to_string();
    assert!(refusal.contains("version 1 of Went cannot be read as a newer one: it has no `y`"), "{refusal}");
    walkers.execute(id, 1, &context()).await.expect("another walker is not affected");
}
