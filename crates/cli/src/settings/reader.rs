//! Reads the sections of the settings and remembers everything about them, so that one pass finds every error, and the
//! sample and `settings show` cannot disagree with what is read.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_aux::serde_introspection::serde_introspect;
use toml::Table;

use super::SettingError;
use super::field::Field;
use super::source::{Layers, Origin};

/// A section of the settings file.
pub(super) struct Section {
    /// Empty for the settings outside any section.
    pub(super) name: &'static str,
    /// From the documentation of its type.
    pub(super) doc: String,
    pub(super) fields: Vec<Field>,
    given: Table,
}

impl Section {
    /// The setting as messages and [`Layers`] name it: `section.name`.
    pub(super) fn key(&self, field: &Field) -> String {
        if self.name.is_empty() { field.name.to_owned() } else { format!("{}.{}", self.name, field.name) }
    }

    /// The value in effect as TOML, secrets masked; none when there is neither a value nor a default.
    pub(super) fn effective(&self, field: &Field) -> Option<String> {
        field.effective(self.given.get(field.name))
    }
}

/// Reads settings from `layers`.
pub(super) struct Reader<'a> {
    layers: &'a Layers,
    pub(super) sections: Vec<Section>,
    pub(super) errors: Vec<SettingError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layers: &'a Layers) -> Self {
        Self { layers, sections: Vec::new(), errors: Vec::new() }
    }

    /// Reads a section. Each value is tried alone, so that every invalid one is found; those get their defaults.
    pub(super) fn section<T: DeserializeOwned + Default + JsonSchema>(&mut self, name: &'static str) -> T {
        let generator = SchemaSettings::default().with(|settings| settings.inline_subschemas = true).into_generator();
        let schema = generator.into_root_schema_for::<T>();
        let schema = schema.as_value();
        let mut section = Section {
            name,
            doc: schema["description"].as_str().unwrap_or_default().to_owned(),
            fields: Vec::new(),
            given: Table::new(),
        };
        for name in serde_introspect::<T>() {
            let field = Field::new(name, &schema["properties"][*name]);
            let key = section.key(&field);
            if let Some((raw, _)) = self.layers.get(&key) {
                let parsed = field.parse(raw).and_then(|value| {
                    let alone = Table::from_iter([((*name).to_owned(), value.clone())]);
                    T::deserialize(alone).map(|_| value).map_err(|error| field.allowed(error.message()))
                });
                match parsed {
                    Ok(value) => drop(section.given.insert((*name).to_owned(), value)),
                    Err(message) => self.reject(&format!("{key} = {}", field.rejected(raw)), &key, &message),
                }
            }
            section.fields.push(field);
        }
        // Each value is valid alone, and no type of a section looks at two together.
        let settings = T::deserialize(section.given.clone()).unwrap_or_default();
        self.sections.push(section);
        settings
    }

    /// Notes that a setting, or its relation to another one, is not valid.
    pub(super) fn error(&mut self, key: &str, message: &str) {
        self.reject(key, key, message);
    }

    fn reject(&mut self, what: &str, key: &str, message: &str) {
        let origin = self.layers.get(key).map_or(String::new(), |(_, origin)| format!(" ({origin})"));
        self.errors.push(SettingError(format!("{what}{origin}: {message}")));
    }

    /// Whether a source sets `key`.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.layers.get(key).is_some()
    }

    /// The source of `key`.
    pub(super) fn origin(&self, key: &str) -> Origin {
        self.layers.get(key).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// Adds an error for every value that belongs to no setting.
    pub(super) fn reject_unknown(&mut self) {
        for (key, _, origin) in self.layers.iter() {
            let name = key.split_once('.').map_or("", |(section, _)| section);
            let section = self.sections.iter().find(|section| section.name == name);
            let known: Vec<String> = section
                .map(|section| section.fields.iter().map(|field| section.key(field)).collect())
                .unwrap_or_default();
            if known.iter().any(|known| known == key) {
                continue;
            }
            let hint = if section.is_some() {
                format!("known here: {}", known.join(", "))
            } else {
                let sections: Vec<&str> =
                    self.sections.iter().map(|section| section.name).filter(|name| !name.is_empty()).collect();
                format!("the sections are {}", sections.join(", "))
            };
            self.errors.push(SettingError(format!("{key} ({origin}): there is no such setting; {hint}")));
        }
    }
}
