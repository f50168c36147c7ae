//! Where settings come from: a file, environment variables, flags. Later sources win.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::Value;
use toml::de::{DeTable, DeValue};

/// Variables of the form `YTCAPTION_SECTION__KEY` are settings; `YTCAPTION_KEY` outside a section.
const PREFIX: &str = "YTCAPTION_";
/// Separates section and key in a variable's name, since both contain single underscores.
const SEPARATOR: &str = "__";
/// Variables that other programs know too, and the settings that they set.
const SHARED_VARIABLES: [(&str, &str); 4] = [
    ("DATABASE_URL", "database.url"),
    ("NATS_URL", "nats.url"),
    ("HF_ENDPOINT", "models.endpoint"),
    ("HF_TOKEN", "models.token"),
];
/// Names a settings file when `--config` does not.
const CONFIG_VARIABLE: &str = "YTCAPTION_CONFIG";
/// Settings files that are read when present and none is named.
const DEFAULT_FILES: [&str; 2] = ["ytcaption.toml", "/etc/ytcaption/ytcaption.toml"];

/// A value before it is parsed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    /// From a variable or a flag.
    Text(String),
    /// From a file.
    Toml(Value),
}

impl Raw {
    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Toml(value) => value.as_str(),
        }
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Toml(value) => value.fmt(f),
        }
    }
}

/// Where a value is written, so that an operator can find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Variable(String),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A settings file that cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("the settings file {} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the settings file {} is not TOML: {message}", path.display())]
    NotToml { path: PathBuf, message: String },
}

/// The values of all sources, by setting (`section.key`).
#[derive(Debug, Default)]
pub(super) struct Layers {
    values: BTreeMap<String, (Raw, Origin)>,
}

impl Layers {
    pub(super) fn get(&self, key: &str) -> Option<&(Raw, Origin)> {
        self.values.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Raw, &Origin)> {
        self.values.iter().map(|(key, (raw, origin))| (key.as_str(), raw, origin))
    }

    /// Adds the built-in default of a setting, for one that depends on the environment.
    pub(super) fn add_default(&mut self, key: &str, value: String) {
        self.insert(key.to_owned(), Raw::Text(value), Origin::Default);
    }

    /// Adds the file at `path`, over what was added before.
    pub(super) fn add_file(&mut self, path: &Path) -> Result<(), FileError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| FileError::Unreadable { path: path.to_owned(), source })?;
        self.add_toml(path, &text)
    }

    fn add_toml(&mut self, path: &Path, text: &str) -> Result<(), FileError> {
        let not_toml =
            |message: String| FileError::NotToml { path: path.to_owned(), message: message.trim_end().to_owned() };
        let values: toml::Table = toml::from_str(text).map_err(|error| not_toml(error.to_string()))?;
        // Parsed a second time for the line numbers, which a plain table does not keep.
        let spans = DeTable::parse(text).map_err(|error| not_toml(error.to_string()))?.into_inner();
        let line_at = |offset: usize| text[..offset].matches('\n').count() + 1;
        for (name, value) in values {
            let span = spans.get(name.as_str());
            let line = span.map_or(1, |spanned| line_at(spanned.span().start));
            if let Value::Table(section) = value {
                let inner = span.and_then(|spanned| match spanned.get_ref() {
                    DeValue::Table(table) => Some(table),
                    _ => None,
                });
                for (key, value) in section {
                    let line = inner
                        .and_then(|table| table.get(key.as_str()))
                        .map_or(line, |spanned| line_at(spanned.span().start));
                    self.insert(
                        format!("{name}.{key}"),
                        Raw::Toml(value),
                        Origin::File { path: path.to_owned(), line },
                    );
                }
            } else {
                self.insert(name, Raw::Toml(value), Origin::File { path: path.to_owned(), line });
            }
        }
        Ok(())
    }

    /// Adds environment variables, over what was added before. An empty one counts as not set, so that
    /// `compose.yaml` can pass variables on.
    pub(super) fn add_variables(&mut self, variables: &BTreeMap<String, String>, top_level: &[&str]) {
        let set = |name: &str| variables.get(name).filter(|value| !value.is_empty());
        for (name, key) in SHARED_VARIABLES {
            if let Some(value) = set(name) {
                self.insert(key.to_owned(), Raw::Text(value.clone()), Origin::Variable(name.to_owned()));
            }
        }
        for name in variables.keys() {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let key = rest.to_ascii_lowercase();
            // Variables without a section belong to the build and the scripts, unless they are known.
            let key = match key.split_once(SEPARATOR) {
                Some((section, key)) => format!("{section}.{key}"),
                None if top_level.contains(&key.as_str()) => key,
                None => continue,
            };
            if let Some(value) = set(name) {
                self.insert(key, Raw::Text(value.clone()), Origin::Variable(name.clone()));
            }
        }
    }

    /// Adds a command line flag, over what was added before.
    pub(super) fn add_flag(&mut self, flag: &'static str, key: &str, value: String) {
        self.insert(key.to_owned(), Raw::Text(value), Origin::Flag(flag));
    }

    fn insert(&mut self, key: String, raw: Raw, origin: Origin) {
        self.values.insert(key, (raw, origin));
    }
}

/// The settings file to read, if any: `named` or the one `YTCAPTION_CONFIG` names, else one at a default path.
pub(super) fn find_file(named: Option<&Path>, variables: &BTreeMap<String, String>) -> Option<PathBuf> {
    let by_variable = variables.get(CONFIG_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    named
        .map(Path::to_owned)
        .or(by_variable)
        .or_else(|| DEFAULT_FILES.iter().map(PathBuf::from).find(|path| path.is_file()))
}
