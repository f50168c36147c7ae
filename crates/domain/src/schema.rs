//! The JSON Schema (draft 2020-12) of every event in every version, as `docs/events` has them.
//!
//! Schemas of current versions are generated from the code. Those of earlier versions were generated so once and are
//! kept: the code that wrote such events is gone, the events are not.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use crate::delivery::DeliveryEvent;
use crate::event::{EventFamily, EventType};
use crate::job::JobEvent;
use crate::personal::PersonalPart;

/// Versions that are not written any more.
const EARLIER: [(&str, u32, &str); 1] = [("JobCreated", 1, include_str!("../../../docs/events/JobCreated.v1.json"))];

/// The schema of one event in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSchema {
    /// Kind of the aggregate it belongs to.
    pub aggregate: &'static str,
    /// Name of the event.
    pub name: &'static str,
    /// Version of its shape.
    pub version: u32,
    /// The schema of its payload, as the file has it.
    pub text: String,
}

impl EventSchema {
    /// Name of the file in `docs/events`.
    pub fn file_name(&self) -> String {
        format!("{}.v{}.json", self.name, self.version)
    }
}

/// The schemas of all events and versions, by name and version.
pub fn event_schemas() -> Vec<EventSchema> {
    let mut all = family_schemas::<JobEvent>();
    all.extend(family_schemas::<DeliveryEvent>());
    all.sort_by_key(|schema| (schema.name, schema.version));
    all
}

/// The schema of any other type that is serialized, in the same style.
pub fn schema_for<T: JsonSchema>() -> Value {
    let written = SchemaSettings::draft2020_12().for_serialize().with_transform(PlainStyle);
    written.into_generator().into_root_schema_for::<T>().to_value()
}

fn family_schemas<E: EventFamily + JsonSchema>() -> Vec<EventSchema> {
    let family = schema_for::<E>();
    let mut schemas = vec![];
    for event in E::TYPES {
        let EventType { aggregate, name, version, .. } = *event;
        for (earlier, version, text) in EARLIER {
            if earlier == name {
                schemas.push(EventSchema { aggregate, name, version, text: text.to_owned() });
            }
        }
        let text = format!("{:#}\n", event_schema(&family, event));
        schemas.push(EventSchema { aggregate, name, version, text });
    }
    schemas
}

/// The schema of one event, taken from that of its family.
fn event_schema(family: &Value, event: &EventType) -> Value {
    let EventType { name, version, personal, .. } = event;
    let is_named = |variant: &&Value| variant.pointer("/properties/type/const").and_then(Value::as_str) == Some(*name);
    let mut variants = family["oneOf"].as_array().into_iter().flatten();
    let mut schema = variants.find(is_named).cloned().unwrap_or_default();
    schema["$schema"] = family["$schema"].clone();
    schema["title"] = json!(format!("{name} version {version}"));
    let parts = Map::new();
    let parts = definitions_used(&schema, family["$defs"].as_object().unwrap_or(&parts));
    if !parts.is_empty() {
        schema["$defs"] = Value::Object(parts);
    }
    if !personal.is_empty() {
        // Stored encrypted: see `crate::personal`.
        schema["x-personal"] = personal.iter().map(PersonalPart::dotted_path).collect();
    }
    schema
}

/// The definitions that a schema refers to, also by way of others.
fn definitions_used(schema: &Value, all: &Map<String, Value>) -> Map<String, Value> {
    let mut used = Map::new();
    let mut texts = vec![schema.to_string()];
    while let Some(text) = texts.pop() {
        for (name, definition) in all {
            if text.contains(&format!("\"#/$defs/{name}\"")) && used.insert(name.clone(), definition.clone()).is_none()
            {
                texts.push(definition.to_string());
            }
        }
    }
    used
}

/// Removes `null` from optional members, which are never written as `null`, and rustdoc's links from descriptions.
#[derive(Debug, Clone)]
struct PlainStyle;

impl Transform for PlainStyle {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let null = json!("null");
        schema.remove("default");
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = text.replace("[`", "`").replace("`]", "`").replace('\n', " ");
        }
        if let Some(Value::Array(types)) = schema.get_mut("type") {
            types.retain(|kind| *kind != null);
            if let [only] = types.as_slice() {
                let only = only.clone();
                schema.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
            choices.retain(|choice| choice["type"] != null);
            if let [Value::Object(only)] = choices.as_slice() {
                let only = only.clone();
                schema.remove("anyOf");
                for (key, value) in only {
                    schema.insert(key, value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
