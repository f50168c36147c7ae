//! Released shapes do not change, and every event that was ever written can be decoded.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::*;
use crate::job::{Job, JobStatus, Task, evolve};
use crate::upcast;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/events");
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/events");
/// Digests of the shapes that have landed: `<SHA-256>  <Event>.v<version>` a line.
const SHAPES: &str = include_str!("../../../../docs/events/shapes.sha256");

fn file(directory: &str, name: &str) -> String {
    std::fs::read_to_string(Path::new(directory).join(name)).unwrap_or_default()
}

fn files(directory: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(directory).expect("the directory is committed");
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "json")).collect()
}

fn schema(schema: &EventSchema) -> Value {
    serde_json::from_str(&schema.text).expect("JSON")
}

/// Payloads of one event and version as programs have written them.
fn fixture(name: &str, version: u32) -> Vec<Value> {
    let text = file(FIXTURES, &format!("{name}.v{version}.json"));
    serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!(
            "there is no fixture of {name} version {version} ({error}): write crates/domain/fixtures/events/\
             {name}.v{version}.json, a list of payloads in which every member occurs, and keep it for ever"
        )
    })
}

/// Whether this run writes the generated files instead of comparing them.
fn updates() -> bool {
    std::env::var_os("UPDATE_EXPECT").is_some()
}

#[test]
fn the_committed_schemas_are_up_to_date() {
    let schemas = event_schemas();
    if updates() {
        for schema in &schemas {
            std::fs::write(Path::new(DIRECTORY).join(schema.file_name()), &schema.text)
                .expect("docs/events is writable");
        }
    }
    let names: BTreeSet<String> = schemas.iter().map(EventSchema::file_name).collect();
    assert_eq!(files(DIRECTORY), names, "update them with `UPDATE_EXPECT=1 cargo test -p ytcaption-domain schema`");
    for schema in schemas {
        assert!(
            file(DIRECTORY, &schema.file_name()) == schema.text,
            "docs/events/{} is out of date; update it with `UPDATE_EXPECT=1 cargo test -p ytcaption-domain schema`",
            schema.file_name()
        );
    }
}

/// The schema without descriptions and titles.
fn shape(schema: &Value) -> Value {
    match schema {
        Value::Object(object) => {
            let says = |key: &&String| !matches!(key.as_str(), "description" | "title");
            object
                .iter()
                .filter(|(key, value)| !value.is_string() || says(key))
                .map(|(key, value)| (key.clone(), shape(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(shape).collect(),
        other => other.clone(),
    }
}

#[test]
fn no_shape_that_has_landed_changes() {
    let mut new = String::new();
    for event in event_schemas() {
        let name = format!("{}.v{}", event.name, event.version);
        let digest = format!("{:x}", Sha256::digest(shape(&schema(&event)).to_string()));
        let landed = SHAPES.lines().filter_map(|line| line.split_once("  ")).find(|(_, landed)| *landed == name);
        match landed.map(|(digest, _)| digest) {
            Some(landed) => assert!(
                landed == digest,
                "{name} has changed its shape, and stores hold events of the released one. Restore it, and add the new \
                 shape as the next version, with an upcaster and a fixture: docs/adr/0011 says how"
            ),
            None => writeln!(new, "{digest}  {name}").expect("a text takes more text"),
        }
    }
    assert!(new.is_empty(), "when the shapes of these new events are right, add to docs/events/shapes.sha256:\n{new}");
    let known: BTreeSet<String> =
        event_schemas().iter().map(|event| format!("{}.v{}", event.name, event.version)).collect();
    for (_, landed) in SHAPES.lines().filter_map(|line| line.split_once("  ")) {
        assert!(known.contains(landed), "{landed} has landed and is gone: its events are still in stores");
    }
}

#[test]
fn every_event_is_listed_with_every_version_up_to_its_newest() {
    fn check<E: EventFamily + JsonSchema>() {
        let family = schemars::schema_for!(E).to_value();
        let variants = family["oneOf"].as_array().expect("variants").iter();
        let names: Vec<&str> =
            variants.filter_map(|variant| variant.pointer("/properties/type/const")?.as_str()).collect();
        let listed: Vec<&str> = E::TYPES.iter().map(|event| event.name).collect();
        assert_eq!(listed, names, "the schema has the variants, in their order");
        for EventType { name, version: newest, .. } in E::TYPES {
            let of_event = event_schemas().into_iter().filter(|schema| schema.name == *name);
            let versions: Vec<u32> = of_event.map(|schema| schema.version).collect();
            assert_eq!(versions, (1..=*newest).collect::<Vec<_>>(), "{name}: keep its earlier schemas in EARLIER");
        }
    }
    check::<JobEvent>();
    check::<DeliveryEvent>();
}

/// SQL reads payloads as they are stored, without upcasters, so every version must have the members that it reads.
#[test]
fn what_queries_look_for_is_in_every_version() {
    let looked_for: [(&str, &[&str]); 12] = [
        ("JobCreated", &["webhook_url"]),
        ("DownloadStarted", &["attempt"]),
        ("DownloadAttemptFailed", &["attempt"]),
        ("AudioDownloaded", &["attempt"]),
        ("ChunksPlanned", &["chunks"]),
        ("ChunkScheduled", &["chunk"]),
        ("ChunkStarted", &["chunk", "attempt"]),
        ("ChunkAttemptFailed", &["chunk", "attempt"]),
        ("ChunkTranscribed", &["chunk", "attempt"]),
        ("WebhookDelivered", &["job_id"]),
        ("WebhookAttemptFailed", &["job_id"]),
        ("WebhookAbandoned", &["job_id"]),
    ];
    for (name, members) in looked_for {
        let versions: Vec<Value> = event_schemas().iter().filter(|event| event.name == name).map(schema).collect();
        assert!(!versions.is_empty(), "{name}");
        for (version, member) in versions.iter().flat_map(|version| members.iter().map(move |member| (version, member)))
        {
            assert!(
                version["properties"][member].is_object(),
                "{} without `{member}`: correct the queries",
                version["title"]
            );
        }
    }
}

#[test]
fn there_is_a_fixture_of_every_version_and_it_fits_its_schema() {
    assert_eq!(files(FIXTURES), event_schemas().iter().map(EventSchema::file_name).collect());
    for event in event_schemas() {
        let document = schema(&event);
        let validator = jsonschema::validator_for(&document).expect("a valid schema");
        let payloads = fixture(event.name, event.version);
        let mut found = BTreeSet::new();
        for payload in &payloads {
            let errors: Vec<String> = validator.iter_errors(payload).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?} in {payload}", event.file_name());
            members(payload, "", &mut found);
        }
        let mut known = BTreeSet::new();
        described(&document, &document, "", &mut known);
        assert_eq!(found, known, "{}: every member occurs in the fixture, and no other", event.file_name());
    }
}

/// The places of all members of a payload: `/audio/bytes`; those of a list's items as `/segments//text`.
fn members(payload: &Value, at: &str, found: &mut BTreeSet<String>) {
    match payload {
        Value::Object(object) => {
            for (key, value) in object {
                found.insert(format!("{at}/{key}"));
                members(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, &format!("{at}/"), found)),
        _ => {}
    }
}

/// The places of all members that a schema describes.
fn described(document: &Value, schema: &Value, at: &str, found: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).expect("a reference leads somewhere");
        described(document, target, at, found);
    }
    for choice in ["oneOf", "anyOf"].iter().filter_map(|word| schema[word].as_array()).flatten() {
        described(document, choice, at, found);
    }
    if schema["items"].is_object() {
        described(document, &schema["items"], &format!("{at}/"), found);
    }
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        found.insert(format!("{at}/{key}"));
        described(document, property, &format!("{at}/{key}"), found);
    }
}

#[test]
fn every_fixture_is_read_and_those_of_today_are_written_back_the_same() {
    fn check<E: EventFamily>() {
        for EventType { name, version: newest, .. } in E::TYPES {
            for version in 1..=*newest {
                for payload in fixture(name, version) {
                    let events: Vec<E> = upcast::decode(name, &version.to_string(), &payload)
                        .unwrap_or_else(|error| panic!("{name} version {version}: {error}: {payload}"));
                    for event in &events {
                        let (name, version) = (event.event_type(), event.event_version());
                        let current = E::TYPES.iter().find(|current| current.name == name);
                        assert_eq!(current.map(|current| current.version.to_string()), Some(version), "{name}");
                    }
                    if version == *newest {
                        assert_eq!(events.iter().map(|event| json!(event)).collect::<Vec<_>>(), [payload]);
                    }
                }
            }
        }
    }
    check::<JobEvent>();
    check::<DeliveryEvent>();
}

/// The job that results from these fixtures: of each event the payload with that index.
fn folded(events: &[(&str, usize)]) -> Job {
    let mut job = Job::default();
    for (name, index) in events {
        let payload = fixture(name, 1).swap_remove(*index);
        for event in upcast::decode(name, "1", &payload).expect("a valid fixture") {
            evolve(&mut job, &event);
        }
    }
    job
}

#[test]
fn the_fixtures_fold_to_a_completed_job() {
    let job = folded(&[
        ("JobCreated", 0),
        ("DownloadStarted", 0),
        ("DownloadProgressed", 0),
        ("AudioDownloaded", 0),
        ("ChunksPlanned", 0),
        ("ChunkScheduled", 0),
        ("ChunkStarted", 0),
        ("ChunkScheduled", 1),
        ("ChunkStarted", 1),
        ("ChunkTranscribed", 0),
        ("ChunkTranscribed", 1),
        ("JobCompleted", 0),
    ]);
    assert_eq!(job.status, Some(JobStatus::Completed));
    let options = job.transcription;
    assert_eq!((options.task, options.word_timestamps), (Task::Translate, Some(true)));
    assert_eq!(options.hotwords.as_deref(), Some("Itaipu, Paraná"));
    assert_eq!((job.chunks.len(), job.chunks.iter().filter(|chunk| chunk.result.is_some()).count()), (2, 2));
}
