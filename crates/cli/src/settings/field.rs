//! What the JSON schema of a section says about one setting: its meaning, its default, which values are valid.

use serde_json::Value as Json;
use toml::Value;
use url::Url;

use super::source::Raw;

/// Shown instead of a secret.
const MASK: &str = "(secret)";

/// One setting of a section.
pub(super) struct Field {
    pub(super) name: &'static str,
    /// From the documentation of the field.
    pub(super) doc: String,
    default: Option<Value>,
    example: Option<Value>,
    value_type: ValueType,
}

enum ValueType {
    Integer {
        least: i64,
        most: i64,
    },
    Boolean,
    OneOf(Vec<String>),
    List(Box<ValueType>),
    /// May contain a password.
    Url,
    Secret,
    Text,
}

impl Field {
    /// `schema` is that of the setting, without references.
    pub(super) fn new(name: &'static str, schema: &Json) -> Self {
        let value = |json: &Json| Value::try_from(json).ok();
        Self {
            name,
            doc: schema["description"].as_str().unwrap_or_default().to_owned(),
            default: value(&schema["default"]),
            example: value(&schema["examples"][0]),
            value_type: ValueType::from_schema(schema),
        }
    }

    /// The default as TOML, or an example of a setting without one.
    pub(super) fn sample(&self) -> String {
        self.default.as_ref().or(self.example.as_ref()).map(Value::to_string).unwrap_or_default()
    }

    /// The value in effect as TOML, secrets masked; none when there is neither a value nor a default.
    pub(super) fn effective(&self, given: Option<&Value>) -> Option<String> {
        given.or(self.default.as_ref()).map(|value| self.value_type.masked(value))
    }

    /// What a source gives, as the type that the setting has.
    ///
    /// # Errors
    /// The value is empty or out of range; the text completes "the value …".
    pub(super) fn parse(&self, raw: &Raw) -> Result<Value, String> {
        let value = match raw {
            Raw::Text(text) => self.value_type.parse_text(text.trim()),
            Raw::Toml(Value::String(text)) => Value::String(text.trim().to_owned()),
            Raw::Toml(value) => value.clone(),
        };
        if value.as_str().is_some_and(str::is_empty) {
            return Err("must not be empty".to_owned());
        }
        if self.value_type.is_in_range(&value) { Ok(value) } else { Err(self.allowed("is out of range")) }
    }

    /// Says which values are valid. `error` is what serde says about the rejected one.
    pub(super) fn allowed(&self, error: &str) -> String {
        match (self.value_type.allowed(), &self.value_type) {
            (Some(allowed), _) => format!("must be {allowed}"),
            (None, ValueType::Url) => format!("must be a URL such as {}", self.sample()),
            (None, ValueType::Secret) => "must be a text".to_owned(),
            (None, _) => format!("{error}; for example {}", self.sample()),
        }
    }

    /// A rejected value as it may be repeated in a message.
    pub(super) fn rejected(&self, raw: &Raw) -> String {
        match (&self.value_type, raw.text()) {
            (ValueType::Secret, _) => "…".to_owned(),
            (ValueType::Url, Some(text)) => without_password(text).unwrap_or_else(|| "…".to_owned()),
            _ => raw.to_string(),
        }
    }
}

impl ValueType {
    fn from_schema(schema: &Json) -> Self {
        let has_type = |wanted: &str| match &schema["type"] {
            Json::Array(types) => types.iter().any(|name| name == wanted),
            name => name == wanted,
        };
        let words = words(schema);
        if !words.is_empty() {
            Self::OneOf(words)
        } else if has_type("integer") {
            let bound = |name: &str, otherwise| schema[name].as_i64().unwrap_or(otherwise);
            Self::Integer { least: bound("minimum", i64::MIN), most: bound("maximum", i64::MAX) }
        } else if has_type("boolean") {
            Self::Boolean
        } else if has_type("array") {
            Self::List(Box::new(Self::from_schema(&schema["items"])))
        } else {
            match schema["format"].as_str() {
                Some("uri") => Self::Url,
                Some("password") => Self::Secret,
                _ => Self::Text,
            }
        }
    }

    /// A value from an environment variable or a flag; what is not of this type stays text, for serde to reject.
    fn parse_text(&self, text: &str) -> Value {
        let parsed = match self {
            Self::Integer { .. } => text.parse().map(Value::Integer).ok(),
            Self::Boolean => text.parse().map(Value::Boolean).ok(),
            Self::List(item) => {
                let items = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Some(Value::Array(items.map(|part| item.parse_text(part)).collect()))
            }
            Self::OneOf(_) | Self::Url | Self::Secret | Self::Text => None,
        };
        parsed.unwrap_or_else(|| Value::String(text.to_owned()))
    }

    fn is_in_range(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Integer { least, most }, Value::Integer(number)) => (least..=most).contains(&number),
            (Self::List(item), Value::Array(values)) => values.iter().all(|value| item.is_in_range(value)),
            _ => true,
        }
    }

    /// Completes the sentence "must be …".
    fn allowed(&self) -> Option<String> {
        match self {
            Self::Integer { least, most } => Some(format!("a whole number from {least} to {most}")),
            Self::Boolean => Some("true or false".to_owned()),
            Self::OneOf(words) => {
                Some(format!("one of {}", words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")))
            }
            Self::List(item) => item.allowed().map(|item| format!("a list whose every element is {item}")),
            Self::Url | Self::Secret | Self::Text => None,
        }
    }

    fn masked(&self, value: &Value) -> String {
        match (self, value.as_str()) {
            (Self::Secret, _) => Value::String(MASK.to_owned()).to_string(),
            (Self::Url, Some(text)) => {
                Value::String(without_password(text).unwrap_or_else(|| MASK.to_owned())).to_string()
            }
            _ => value.to_string(),
        }
    }
}

/// The words of an enumeration; none for another type.
fn words(schema: &Json) -> Vec<String> {
    let listed = schema["enum"].as_array().into_iter().flatten().chain(schema.get("const"));
    let own = listed.filter_map(|word| word.as_str().map(str::to_owned));
    let nested = ["oneOf", "anyOf"].into_iter().filter_map(|name| schema[name].as_array()).flatten().flat_map(words);
    own.chain(nested).collect()
}

/// `url` as it may be shown, with its password replaced; none if it cannot be parsed.
fn without_password(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok()?;
    let in_query = url.query_pairs().any(|(name, _)| name.ends_with("password"));
    if url.password().is_none() && !in_query {
        return Some(text.to_owned());
    }
    if url.password().is_some() {
        // Refused only for URLs without a host, which carry no password.
        let _ = url.set_password(Some("-"));
    }
    if in_query {
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let mask = |(name, value): (String, String)| {
            let value = if name.ends_with("password") { "-".to_owned() } else { value };
            (name, value)
        };
        url.query_pairs_mut().clear().extend_pairs(pairs.into_iter().map(mask));
    }
    Some(url.to_string())
}
