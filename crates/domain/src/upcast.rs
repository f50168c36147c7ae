//! Reading events of every version ever written.
//!
//! An event is stored once and never changed. When its shape changes, the new shape is a new version, and an upcaster
//! says how the old one is read from then on:
//!
//! ```text
//! stored: name, version, payload ─▶ upcaster ─▶ … ─▶ the current versions ─▶ typed events
//! ```
//!
//! An upcaster may fail, and may return several events for one. These share what the store knows of the one: its
//! sequence, its id, its metadata. The version of an aggregate is therefore always the number of its stored events, and
//! a reader applies all parts of a stored event or none.

use serde::de::Error as _;
use serde_json::{Map, Value};

use crate::MetadataError;
use crate::event::{EventFamily, EventType};

/// Member of a payload that repeats the event's name.
const TYPE: &str = "type";

/// How an event of one version is read as something newer.
#[derive(Debug, Clone, Copy)]
pub struct Upcaster {
    /// The event's name.
    pub name: &'static str,
    /// The version that is read.
    pub version: u32,
    /// Returns the payload as one or more newer events, in order; or says why it cannot.
    pub upcast: fn(Map<String, Value>) -> Result<Vec<Upcast>, String>,
}

/// One event that an upcaster returns. It may be of an earlier version itself; then the next upcaster reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Upcast {
    /// Name of the event.
    pub name: &'static str,
    /// Its version.
    pub version: u32,
    /// Its payload; the name in it is filled in.
    pub payload: Map<String, Value>,
}

/// Why a stored event cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// No event has that name.
    #[error(
        "this program knows no event of this type; a newer version of the program probably wrote it: use that version"
    )]
    UnknownType,
    /// The event is known; this version of it is newer than this program.
    #[error(
        "this program knows this event up to version {newest}; a newer version of the program probably wrote it: \
         use that version"
    )]
    NewerVersion {
        /// The newest version that can be read.
        newest: u32,
    },
    /// The version is not a number from 1 on.
    #[error("version {version} does not exist; versions of this event are 1 to {newest}")]
    InvalidVersion {
        /// The version that is stored.
        version: String,
        /// The newest version that can be read.
        newest: u32,
    },
    /// The payload is not what events of that version look like.
    #[error(
        "its content does not fit its schema, docs/events/{name}.v{version}.json ({source}); it was changed after it \
         was written, or something else wrote it: restore it from a backup"
    )]
    Shape {
        /// Name of the event.
        name: String,
        /// Version of the event.
        version: u32,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Its metadata cannot be read.
    #[error("{0}; it was changed after it was written, or something else wrote it: restore it from a backup")]
    Metadata(#[from] MetadataError),
    /// An upcaster does not understand it.
    #[error(
        "version {version} of {name} cannot be read as a newer one: {reason}; report this with the event's content"
    )]
    Upcast {
        /// Name of the event.
        name: String,
        /// Version of the event.
        version: u32,
        /// The upcaster's explanation.
        reason: String,
    },
}

impl PayloadError {
    /// Whether a newer version of this program can be expected to read the event.
    pub const fn is_newer(&self) -> bool {
        matches!(self, Self::UnknownType | Self::NewerVersion { .. })
    }
}

/// The typed events that a stored event decodes to; at least one.
///
/// # Errors
/// See [`PayloadError`].
pub fn decode<E: EventFamily>(name: &str, version: &str, payload: &Value) -> Result<Vec<E>, PayloadError> {
    let typed = |version, payload: &Value| {
        let shape = |source| PayloadError::Shape { name: name.to_owned(), version, source };
        if payload.get(TYPE).and_then(Value::as_str) != Some(name) {
            return Err(shape(serde_json::Error::custom(format!("its `type` is not {name}"))));
        }
        E::deserialize(payload).map_err(shape)
    };
    let current = current_version(E::TYPES, name)?;
    let version = parse_version(version, current)?;
    if version == current {
        return Ok(vec![typed(version, payload)?]);
    }
    let parts = apply_upcasters(E::TYPES, E::UPCASTERS, name, version, payload.clone())?;
    // An upcaster may pass on what is wrong with the stored event; the error names the event as it is stored.
    parts
        .iter()
        .map(|part| {
            E::deserialize(part).map_err(|source| PayloadError::Shape { name: name.to_owned(), version, source })
        })
        .collect()
}

/// The payloads, in their current versions, that a stored event decodes to; at least one.
///
/// # Errors
/// The event is of an unknown type or version, or an upcaster fails. Payloads of the current version are not examined.
pub fn upcast_to_current<E: EventFamily>(
    name: &str,
    version: &str,
    payload: Value,
) -> Result<Vec<Value>, PayloadError> {
    let current = current_version(E::TYPES, name)?;
    let version = parse_version(version, current)?;
    if version == current {
        return Ok(vec![payload]);
    }
    apply_upcasters(E::TYPES, E::UPCASTERS, name, version, payload)
}

/// The version in which events of that name are written.
fn current_version(types: &[EventType], name: &str) -> Result<u32, PayloadError> {
    types.iter().find(|known| known.name == name).map(|known| known.version).ok_or(PayloadError::UnknownType)
}

/// The number of a version that this program can read.
fn parse_version(version: &str, newest: u32) -> Result<u32, PayloadError> {
    match version.parse() {
        Ok(0) | Err(_) => Err(PayloadError::InvalidVersion { version: version.to_owned(), newest }),
        Ok(number) if number > newest => Err(PayloadError::NewerVersion { newest }),
        Ok(number) => Ok(number),
    }
}

/// Applies upcasters until every event is of its current version.
fn apply_upcasters(
    types: &[EventType],
    upcasters: &[Upcaster],
    name: &str,
    version: u32,
    payload: Value,
) -> Result<Vec<Value>, PayloadError> {
    if current_version(types, name)? == version {
        return Ok(vec![payload]);
    }
    let error = |reason: &str| PayloadError::Upcast { name: name.to_owned(), version, reason: reason.to_owned() };
    let Value::Object(payload) = payload else { return Err(error("its payload is not a JSON object")) };
    let step = upcasters.iter().find(|step| step.name == name && step.version == version);
    let step = step.ok_or_else(|| error("this program has no upcaster for it"))?;
    let parts = (step.upcast)(payload).map_err(|reason| error(&reason))?;
    if parts.is_empty() {
        return Err(error("an upcaster returned no event"));
    }
    let mut all = Vec::with_capacity(parts.len());
    for mut part in parts {
        part.payload.insert(TYPE.to_owned(), part.name.into());
        all.extend(apply_upcasters(types, upcasters, part.name, part.version, Value::Object(part.payload))?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
