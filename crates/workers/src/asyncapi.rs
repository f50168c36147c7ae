//! The JetStream side as an AsyncAPI 3.0 document (<https://www.asyncapi.com/docs/reference/specification/v3.0.0>),
//! made from what the program itself uses: the stream, the step table, the schemas of the events, and the form of a message.

use serde_json::{Map, Value, json};
use ytcaption_domain::schema::{self, EventSchema};
use ytcaption_domain::step::STEPS;
use ytcaption_telemetry::context::TRACEPARENT;

use crate::cloud_event::{CloudEvent, REPUBLISHED, SUBJECT_PREFIX};
use crate::topology;

/// Subject tokens that differ from event to event.
const PARAMETERS: [(&str, &str); 2] = [
    ("route", "The job's priority: `high`, `normal` or `low`; `webhook` for deliveries."),
    ("id", "Id of the job or the delivery, a UUID."),
];

/// The document; `docs/asyncapi.json` is a copy.
///
/// # Panics
/// Never: it is made of JSON values, which can always be written.
pub fn asyncapi_json() -> String {
    let schemas = schema::event_schemas();
    let mut parts = envelope();
    parts.insert("Headers".to_owned(), headers());
    let mut document = json!({
        "asyncapi": "3.0.0",
        "info": info(),
        "defaultContentType": "application/cloudevents+json",
        "servers": { "jetstream": server() },
        "channels": channels(&schemas),
        "operations": operations(&schemas),
        "components": {
            "messages": schemas.iter().map(|schema| (message_id(schema), message(schema))).collect::<Map<_, _>>(),
            "schemas": parts,
            "parameters": PARAMETERS.iter().map(|(name, says)| (name.to_string(), json!({ "description": says })))
                .collect::<Map<_, _>>(),
        },
    });
    // The order of members must not depend on the features that other crates choose for serde_json.
    document.sort_all_objects();
    format!("{document:#}\n")
}

fn info() -> Value {
    json!({
        "title": "YTCaption events",
        "version": env!("CARGO_PKG_VERSION"),
        "license": { "name": "MIT OR Apache-2.0" },
        "description":
            "Every event of the event store is published on one JetStream stream, in commit order, as a CloudEvent. The \
             stream is a cache: the relay publishes again from Postgres what it has lost, so a message may come more than \
             once, with the same `id` and `sequence`. Within one aggregate, `sequence` counts from 1 without gaps.\n\n\
             Read with a durable consumer of your own. The consumers here belong to the program: a message that they \
             acknowledge does not reach its workers.\n\n\
             An event never changes. A new shape is a new version, with which `type` ends; versions that are no longer \
             written still occur, so support all of them, and ignore what you do not know.",
    })
}

fn server() -> Value {
    let stream: Value = serde_json::from_str(topology::STREAM).unwrap_or_default();
    json!({
        "host": "localhost:4222",
        "protocol": "nats",
        "description": "The server in NATS_URL, or the one that `ytcaption up` runs. The stream is created at start.",
        "x-jetstream-stream": stream,
    })
}

/// Names the messages of one event: a channel of its own for each event, as each has a subject of its own.
fn channels(schemas: &[EventSchema]) -> Map<String, Value> {
    let mut channels = Map::new();
    for schema in schemas {
        let channel = channels.entry(schema.name).or_insert_with(|| {
            let reference = |name| json!({ "$ref": format!("#/components/parameters/{name}") });
            json!({
                "address": format!("{SUBJECT_PREFIX}.{}.{}.{{route}}.{{id}}", schema.aggregate, schema.name),
                "messages": {},
                "parameters":
                    PARAMETERS.iter().map(|(name, _)| (name.to_string(), reference(name))).collect::<Map<_, _>>(),
            })
        });
        let id = message_id(schema);
        channel["messages"][&id] = json!({ "$ref": format!("#/components/messages/{id}") });
    }
    channels
}

/// The relay sends every event; each durable consumer receives those that trigger its step.
fn operations(schemas: &[EventSchema]) -> Map<String, Value> {
    let mut operations = Map::new();
    let channel = |name: &str| json!({ "$ref": format!("#/channels/{name}") });
    for schema in schemas {
        let summary = "The relay publishes it, once it is durable in the event store.";
        let operation = json!({ "action": "send", "channel": channel(schema.name), "summary": summary });
        operations.insert(format!("relay.{}", schema.name), operation);
    }
    for config in topology::consumer_configs(&STEPS) {
        let consumer = topology::consumer_json(&config);
        let name = consumer["durable_name"].as_str().unwrap_or_default();
        for subject in consumer["filter_subjects"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let event = subject.split('.').nth(3).unwrap_or_default();
            let operation = json!({
                "action": "receive",
                "channel": channel(event),
                "summary": consumer["description"],
                "x-subject": subject,
                "x-jetstream-consumer": consumer,
            });
            operations.insert(format!("{name}.{event}"), operation);
        }
    }
    operations
}

/// `JobCreated.v2`
fn message_id(schema: &EventSchema) -> String {
    format!("{}.v{}", schema.name, schema.version)
}

fn message(schema: &EventSchema) -> Value {
    let EventSchema { aggregate, name, version, .. } = schema;
    json!({
        "name": name,
        "title": format!("{name} version {version}"),
        "headers": { "$ref": "#/components/schemas/Headers" },
        "payload": {
            "allOf": [
                { "$ref": "#/components/schemas/CloudEvent" },
                {
                    "type": "object",
                    "properties": {
                        "type": { "const": format!("ytcaption.{aggregate}.{name}.v{version}") },
                        "data": { "$ref": format!("./events/{}", schema.file_name()) },
                    },
                },
            ],
        },
    })
}

/// The envelope, CloudEvents 1.0 in its JSON format, and its parts.
fn envelope() -> Map<String, Value> {
    let text = schema::schema_for::<CloudEvent>().to_string().replace("#/$defs/", "#/components/schemas/");
    let mut envelope: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
    envelope.remove("$schema");
    let mut parts = match envelope.remove("$defs") {
        Some(Value::Object(parts)) => parts,
        _ => Map::new(),
    };
    parts.insert("CloudEvent".to_owned(), Value::Object(envelope));
    parts
}

fn headers() -> Value {
    json!({
        "type": "object",
        "properties": {
            "Nats-Msg-Id": {
                "type": "string",
                "description": "The event's id, by which JetStream drops duplicates. A message that was published again after the \
                                stream had lost it may have a number after the id; `id` in the payload is always the \
                                event's own.",
            },
            TRACEPARENT: { "type": "string", "description": "W3C trace context of the relay's part in the trace." },
            REPUBLISHED: {
                "type": "string",
                "const": "true",
                "description": "The event was published before: the stream had lost it, or a person requested a replay.",
            },
        },
        "required": ["Nats-Msg-Id"],
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn document() -> Value {
        serde_json::from_str(&asyncapi_json()).expect("JSON")
    }

    #[test]
    fn the_committed_document_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/asyncapi.json");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, asyncapi_json()).expect("the document can be written");
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == asyncapi_json(),
            "docs/asyncapi.json is out of date; run `UPDATE_EXPECT=1 cargo test -p ytcaption-workers --lib asyncapi` and \
             commit what it writes"
        );
    }

    #[test]
    fn every_reference_resolves() {
        let (text, document) = (asyncapi_json(), document());
        let references: Vec<&str> =
            text.split("\"$ref\": \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(references.len() > 50, "{references:?}");
        for reference in references {
            let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
            let resolves = match reference.strip_prefix('#') {
                Some(pointer) => document.pointer(pointer).is_some(),
                None => docs.join(reference).is_file(),
            };
            assert!(resolves, "{reference}");
        }
    }

    #[test]
    fn every_subject_that_is_consumed_is_one_that_is_sent() {
        let document = document();
        let mut consumed = 0;
        for operation in document["operations"].as_object().expect("operations").values() {
            let Some(subject) = operation["x-subject"].as_str() else { continue };
            let channel = operation["channel"]["$ref"].as_str().unwrap_or_default().trim_start_matches('#');
            let address = document.pointer(channel).expect("a channel")["address"].as_str().unwrap_or_default();
            let matches = subject
                .split('.')
                .zip(address.split('.'))
                .all(|(filter, sent)| filter == "*" || sent.starts_with('{') || filter == sent);
            assert!(matches && subject.split('.').count() == address.split('.').count(), "{subject} {address}");
            consumed += 1;
        }
        let filters: usize =
            topology::consumer_configs(&STEPS).iter().map(|consumer| consumer.filter_subjects.len()).sum();
        assert_eq!(consumed, filters);
    }
}
