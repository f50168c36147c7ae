//! The JSON Schema (draft 2020-12) of every event in every version, as `docs/events` has them.
//!
//! Schemas of today's versions are made from the code. Those of earlier versions were made so once and are kept: the
//! code that wrote such events is gone, the events are not.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use crate::delivery::DeliveryEvent;
use crate::job::JobEvent;
use crate::upcast::Versioned;

/// Versions that are not written any more.
const EARLIER: [(&str, u32, &str); 1] = [("JobCreated", 1, include_str!("../../../docs/events/JobCreated.v1.json"))];

/// What events of one name and version look like.
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
pub fn all() -> Vec<EventSchema> {
    let mut all = of::<JobEvent>("job");
    all.extend(of::<DeliveryEvent>("delivery"));
    all.sort_by_key(|schema| (schema.name, schema.version));
    all
}

/// The schema of something else that travels, in the same style.
pub fn of_type<T: JsonSchema>() -> Value {
    let written = SchemaSettings::draft2020_12().for_serialize().with_transform(Plain);
    written.into_generator().into_root_schema_for::<T>().to_value()
}

fn of<E: Versioned + JsonSchema>(aggregate: &'static str) -> Vec<EventSchema> {
    let family = of_type::<E>();
    let mut schemas = vec![];
    for (name, newest) in E::CURRENT {
        for (earlier, version, text) in EARLIER {
            if earlier == *name {
                schemas.push(EventSchema { aggregate, name, version, text: text.to_owned() });
            }
        }
        let text = format!("{:#}\n", event(&family, name, *newest));
        schemas.push(EventSchema { aggregate, name, version: *newest, text });
    }
    schemas
}

/// One event out of the schema of all.
fn event(family: &Value, name: &str, version: u32) -> Value {
    let is_named = |variant: &&Value| variant.pointer("/properties/type/const").and_then(Value::as_str) == Some(name);
    let mut variants = family["oneOf"].as_array().into_iter().flatten();
    let mut schema = variants.find(is_named).cloned().unwrap_or_default();
    schema["$schema"] = family["$schema"].clone();
    schema["title"] = json!(format!("{name} version {version}"));
    let parts = Map::new();
    let parts = used(&schema, family["$defs"].as_object().unwrap_or(&parts));
    if !parts.is_empty() {
        schema["$defs"] = Value::Object(parts);
    }
    schema
}

/// The definitions that a schema refers to, also by way of others.
fn used(schema: &Value, all: &Map<String, Value>) -> Map<String, Value> {
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

/// What may be absent is never written as `null`; and readers of a schema do not know rustdoc's links.
#[derive(Debug, Clone)]
struct Plain;

impl Transform for Plain {
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
