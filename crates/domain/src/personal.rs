//! Which values of a payload are personal, and how they are stored.
//!
//! A personal value is stored as `{"encrypted_text": "<base64>"}` or `{"encrypted_list": "<base64>"}` in its own place, so
//! that the rest of the payload can be read and queried without a key. When the key is gone, a text reads as [`ERASED`] and a list as
//! `[]`, so that every event of an erased job still decodes. Encryption itself is the event store's.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an erased text reads as; a valid URL too, because some of the texts are URLs.
pub const ERASED: &str = "about:erased";

/// JSON type of a personal value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonalKind {
    /// A string.
    Text,
    /// An array.
    List,
}

/// A personal value in the payload of an event type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PersonalPart {
    /// Names of the members that lead to it.
    pub path: &'static [&'static str],
    /// Its JSON type.
    pub kind: PersonalKind,
}

/// A personal value as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Stored", from = "Stored")]
pub struct EncryptedValue {
    /// Nonce and ciphertext in base64; empty if the key was gone when the event was written.
    pub encrypted: String,
    /// JSON type of the value.
    pub kind: PersonalKind,
}

/// The JSON of an [`EncryptedValue`]: an object of one member, whose name says the type.
#[derive(Serialize, Deserialize)]
enum Stored {
    #[serde(rename = "encrypted_text")]
    Text(String),
    #[serde(rename = "encrypted_list")]
    List(String),
}

impl From<EncryptedValue> for Stored {
    fn from(EncryptedValue { encrypted, kind }: EncryptedValue) -> Self {
        match kind {
            PersonalKind::Text => Self::Text(encrypted),
            PersonalKind::List => Self::List(encrypted),
        }
    }
}

impl From<Stored> for EncryptedValue {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Text(encrypted) => Self { encrypted, kind: PersonalKind::Text },
            Stored::List(encrypted) => Self { encrypted, kind: PersonalKind::List },
        }
    }
}

impl PersonalPart {
    /// Its path with dots between the names, for example `source.url`.
    pub fn dotted_path(&self) -> String {
        self.path.join(".")
    }

    /// The value of this part in a payload; `None` where the payload has none.
    pub fn find_in<'a>(&self, payload: &'a mut Value) -> Option<&'a mut Value> {
        self.path.iter().try_fold(payload, |value, name| value.get_mut(name)).filter(|value| !value.is_null())
    }
}

impl PersonalKind {
    /// What a value of this type reads as once it is erased.
    pub fn erased(self) -> Value {
        match self {
            Self::Text => ERASED.into(),
            Self::List => Value::Array(vec![]),
        }
    }
}

/// Calls `open` for every encrypted value of a stored payload, with its dotted path, and puts what it returns in the
/// value's place. It looks for their form and not for the paths of today, so that earlier versions are read as well.
///
/// # Errors
/// The first error of `open`; the values before it are replaced by then.
pub fn replace_encrypted<E>(
    payload: &mut Value,
    mut open: impl FnMut(&str, EncryptedValue) -> Result<Value, E>,
) -> Result<(), E> {
    replace_below(payload, "", &mut open)
}

fn replace_below<E>(
    value: &mut Value,
    path: &str,
    open: &mut impl FnMut(&str, EncryptedValue) -> Result<Value, E>,
) -> Result<(), E> {
    let Value::Object(members) = value else { return Ok(()) };
    if members.len() == 1
        && let Ok(encrypted) = EncryptedValue::deserialize(&*value)
    {
        *value = open(path, encrypted)?;
        return Ok(());
    }
    let Value::Object(members) = value else { return Ok(()) };
    for (name, member) in members {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        replace_below(member, &path, open)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::job::JobEvent;

    #[test]
    fn parts_are_found_where_the_payload_has_them() {
        let mut payload =
            json!({ "source": { "kind": "url", "url": "https://a.example/x" }, "options": { "hotwords": null } });
        let found: Vec<String> = JobEvent::JOB_CREATED
            .personal
            .iter()
            .filter_map(|part| part.find_in(&mut payload).map(|_| part.dotted_path()))
            .collect();
        assert_eq!(found, ["source.url"]);
    }

    #[test]
    fn encrypted_values_are_replaced_in_place_with_their_path() {
        let stored =
            |text: &str, kind| serde_json::to_value(EncryptedValue { encrypted: text.into(), kind }).expect("JSON");
        let mut payload = json!({
            "failure": { "code": "x", "message": stored("AA", PersonalKind::Text) },
            "segments": stored("BB", PersonalKind::List),
            // Not the form of an encrypted value.
            "other": { "encrypted_number": "CC" },
            "another": { "encrypted_text": "CC", "more": 1 },
        });
        let mut seen = vec![];
        let replaced = replace_encrypted(&mut payload, |path, value| {
            seen.push((path.to_owned(), value.encrypted));
            Ok::<_, ()>(value.kind.erased())
        });
        assert_eq!(replaced, Ok(()));
        assert_eq!(seen, [("failure.message".to_owned(), "AA".to_owned()), ("segments".to_owned(), "BB".to_owned())]);
        let expected = json!({
            "failure": { "code": "x", "message": ERASED },
            "segments": [],
            "other": { "encrypted_number": "CC" },
            "another": { "encrypted_text": "CC", "more": 1 },
        });
        assert_eq!(payload, expected);
    }

    #[test]
    fn the_placeholder_is_a_url() {
        assert!(url::Url::parse(ERASED).is_ok());
    }
}
