//! Reads settings one by one and remembers everything about them, so that one pass finds every
//! fault and the sample and `settings show` cannot disagree with what is read.

use super::kind::Kind;
use super::source::{Layers, Origin};

/// One setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault(pub(super) String);

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known about one setting after it was read.
pub(super) struct Entry {
    pub(super) key: &'static str,
    pub(super) doc: &'static str,
    /// The default, or for a setting without one an example, as TOML.
    pub(super) sample: String,
    /// The value in effect, as TOML; none when there is neither value nor default.
    pub(super) effective: Option<String>,
    pub(super) origin: Origin,
}

/// A section of the settings file.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
}

/// Reads settings from `layers`.
pub(super) struct Reader<'a> {
    layers: &'a Layers,
    pub(super) sections: Vec<Section>,
    pub(super) entries: Vec<Entry>,
    pub(super) faults: Vec<Fault>,
}

#[expect(clippy::needless_pass_by_value, reason = "a kind is made where a setting is read, for that setting alone")]
impl<'a> Reader<'a> {
    pub(super) fn new(layers: &'a Layers) -> Self {
        Self { layers, sections: Vec::new(), entries: Vec::new(), faults: Vec::new() }
    }

    /// Opens a section; the settings read from here on belong to it.
    pub(super) fn section(&mut self, name: &'static str, doc: &'static str) {
        self.sections.push(Section { name, doc });
    }

    /// A setting with a default.
    pub(super) fn value<T: 'static>(&mut self, key: &'static str, doc: &'static str, default: T, kind: Kind<T>) -> T {
        let shown = (kind.show)(&default).to_string();
        let value = self.take(key, &kind);
        let effective = value.as_ref().map_or_else(|| shown.clone(), |value| (kind.show)(value).to_string());
        self.remember(key, doc, shown, Some(effective));
        value.unwrap_or(default)
    }

    /// A setting that may be absent, or whose default follows from others; `example` stands in the
    /// sample.
    pub(super) fn optional<T: 'static>(
        &mut self,
        key: &'static str,
        doc: &'static str,
        example: impl Into<toml::Value>,
        kind: Kind<T>,
    ) -> Option<T> {
        let value = self.take(key, &kind);
        let effective = value.as_ref().map(|value| (kind.show)(value).to_string());
        self.remember(key, doc, example.into().to_string(), effective);
        value
    }

    /// A setting whose default depends on this machine; `shown` stands in the sample instead of it.
    pub(super) fn value_shown_as<T: 'static>(
        &mut self,
        key: &'static str,
        doc: &'static str,
        (default, shown): (T, &str),
        kind: Kind<T>,
    ) -> T {
        let value = self.take(key, &kind).unwrap_or(default);
        let effective = (kind.show)(&value).to_string();
        self.remember(key, doc, toml::Value::String(shown.to_owned()).to_string(), Some(effective));
        value
    }

    /// Notes a fault between settings that are each fine.
    pub(super) fn fault(&mut self, key: &str, message: &str) {
        let origin = self.layers.get(key).map_or(String::new(), |(_, origin)| format!(" ({origin})"));
        self.faults.push(Fault(format!("{key}{origin}: {message}")));
    }

    /// Whether a source sets `key`.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.layers.get(key).is_some()
    }

    fn take<T>(&mut self, key: &'static str, kind: &Kind<T>) -> Option<T> {
        let (raw, origin) = self.layers.get(key)?;
        let value = (kind.read)(raw);
        if value.is_none() {
            let shown = if kind.secret { "…".to_owned() } else { raw.to_string() };
            self.faults.push(Fault(format!("{key} = {shown} ({origin}): must be {}", kind.allowed)));
        }
        value
    }

    fn remember(&mut self, key: &'static str, doc: &'static str, sample: String, effective: Option<String>) {
        let origin = self.layers.get(key).map_or(Origin::Default, |(_, origin)| origin.clone());
        self.entries.push(Entry { key, doc, sample, effective, origin });
    }

    /// Adds a fault for every value that no setting asked for.
    pub(super) fn reject_unknown(&mut self) {
        for (key, _, origin) in self.layers.iter() {
            if self.entries.iter().any(|entry| entry.key == key) {
                continue;
            }
            let section = key.split_once('.').map_or("", |(section, _)| section);
            let known: Vec<&str> = self
                .entries
                .iter()
                .map(|entry| entry.key)
                .filter(|known| known.split_once('.').map_or("", |(section, _)| section) == section)
                .collect();
            let hint = if known.is_empty() {
                let sections: Vec<&str> = self.sections.iter().map(|section| section.name).collect();
                format!("the sections are {}", sections.join(", "))
            } else {
                format!("known here: {}", known.join(", "))
            };
            self.faults.push(Fault(format!("{key} ({origin}): there is no such setting; {hint}")));
        }
    }
}
