//! Reading events of every version ever written.
//!
//! An event is stored once and never changed. When its shape changes, the new shape is a new version, and an upcaster
//! says how the old one is read from then on:
//!
//! ```text
//! stored: name, version, payload ─▶ upcaster ─▶ … ─▶ the versions of today ─▶ typed events
//! ```
//!
//! An upcaster may fail, and may turn one event into several. These share what the store knows of the one: its
//! sequence, its id, its metadata. The version of an aggregate is therefore always the number of its stored events, and
//! a reader applies all parts of a stored event or none.

use cqrs_es::DomainEvent;
use serde::de::Error as _;
use serde_json::{Map, Value};

use crate::MetadataError;

/// Member of a payload that repeats the event's name.
const TYPE: &str = "type";

/// The events of one aggregate, through all versions.
pub trait Versioned: DomainEvent {
    /// Every event there is, with the version that is written today. Versions count from 1.
    const CURRENT: &'static [(&'static str, u32)];
    /// How events of earlier versions are read, one step each.
    const UPCASTERS: &'static [Upcaster];
}

/// How an event of one version is read as something newer.
#[derive(Debug, Clone, Copy)]
pub struct Upcaster {
    /// The event's name.
    pub name: &'static str,
    /// The version that is read.
    pub version: u32,
    /// What it means, as one or more newer events, in order; or why it cannot be told.
    pub read: fn(Map<String, Value>) -> Result<Vec<Upcast>, String>,
}

/// What an upcaster makes of an event. It may itself be of an earlier version and be read on.
#[derive(Debug, Clone, PartialEq)]
pub struct Upcast {
    /// Name of the event.
    pub name: &'static str,
    /// Its version.
    pub version: u32,
    /// Its payload; the name in it is filled in.
    pub payload: Map<String, Value>,
}

/// Why a stored event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EventFault {
    /// There is no event of that name.
    #[error(
        "this program knows no event of this type; a newer version of the program probably wrote it: use that version"
    )]
    UnknownType,
    /// The event is known, and this version of it lies in the future.
    #[error(
        "this program knows this event up to version {newest}; a newer version of the program probably wrote it: \
         use that version"
    )]
    NewerVersion {
        /// The newest version that can be read.
        newest: u32,
    },
    /// No program has ever written such a version.
    #[error("there is no such version; versions of this event are 1 to {newest}, and no program wrote another")]
    NoVersion {
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
    /// Who, when and why cannot be read.
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
        /// The upcaster's words.
        reason: String,
    },
}

impl EventFault {
    /// Whether a newer version of this program can be expected to read the event.
    pub const fn is_from_the_future(&self) -> bool {
        matches!(self, Self::UnknownType | Self::NewerVersion { .. })
    }
}

/// The typed events that a stored one stands for; at least one.
///
/// # Errors
/// See [`EventFault`].
pub fn read<E: Versioned>(name: &str, version: &str, payload: &Value) -> Result<Vec<E>, EventFault> {
    let typed = |version, payload: &Value| {
        let shape = |source| EventFault::Shape { name: name.to_owned(), version, source };
        if payload.get(TYPE).and_then(Value::as_str) != Some(name) {
            return Err(shape(serde_json::Error::custom(format!("it does not call itself {name}"))));
        }
        E::deserialize(payload).map_err(shape)
    };
    let current = current(E::CURRENT, name)?;
    let version = known(version, current)?;
    if version == current {
        return Ok(vec![typed(version, payload)?]);
    }
    let parts = walk(E::CURRENT, E::UPCASTERS, name, version, payload.clone())?;
    // What an upcaster makes of a damaged event shows here; the fault is that of the event as it was stored.
    parts
        .iter()
        .map(|part| E::deserialize(part).map_err(|source| EventFault::Shape { name: name.to_owned(), version, source }))
        .collect()
}

/// The payloads, in the versions of today, that a stored event stands for; at least one.
///
/// # Errors
/// The event is of an unknown type or version, or an upcaster fails. Payloads that are of today's version already are
/// not looked into.
pub fn upcast<E: Versioned>(name: &str, version: &str, payload: Value) -> Result<Vec<Value>, EventFault> {
    let current = current(E::CURRENT, name)?;
    let version = known(version, current)?;
    if version == current {
        return Ok(vec![payload]);
    }
    walk(E::CURRENT, E::UPCASTERS, name, version, payload)
}

/// Version in which events of that name are written today.
fn current(events: &[(&str, u32)], name: &str) -> Result<u32, EventFault> {
    let known = events.iter().find(|(known, _)| *known == name);
    known.map(|(_, version)| *version).ok_or(EventFault::UnknownType)
}

/// The number of a version that can be read.
fn known(version: &str, newest: u32) -> Result<u32, EventFault> {
    match version.parse() {
        Ok(number) if (1..=newest).contains(&number) => Ok(number),
        Ok(number) if number > newest => Err(EventFault::NewerVersion { newest }),
        _ => Err(EventFault::NoVersion { newest }),
    }
}

/// Reads an event on, step by step, until everything is of today.
fn walk(
    events: &[(&str, u32)],
    upcasters: &[Upcaster],
    name: &str,
    version: u32,
    payload: Value,
) -> Result<Vec<Value>, EventFault> {
    if current(events, name)? == version {
        return Ok(vec![payload]);
    }
    let fault = |reason: &str| EventFault::Upcast { name: name.to_owned(), version, reason: reason.to_owned() };
    let Value::Object(payload) = payload else { return Err(fault("its content is no JSON object")) };
    let step = upcasters.iter().find(|step| step.name == name && step.version == version);
    let step = step.ok_or_else(|| fault("this program has no upcaster for it"))?;
    let parts = (step.read)(payload).map_err(|reason| fault(&reason))?;
    if parts.is_empty() {
        return Err(fault("nothing is left of it"));
    }
    let mut all = Vec::with_capacity(parts.len());
    for mut part in parts {
        part.payload.insert(TYPE.to_owned(), part.name.into());
        all.extend(walk(events, upcasters, part.name, part.version, Value::Object(part.payload))?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
