//! What a verification can find.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

use crate::Cursor;

/// Which event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventRef {
    /// Kind of the aggregate.
    pub aggregate_type: String,
    /// Identity of the aggregate.
    pub aggregate_id: String,
    /// Its sequence number within the aggregate, from 1.
    pub sequence: u64,
}

impl fmt::Display for EventRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {} of {} {}", self.sequence, self.aggregate_type, self.aggregate_id)
    }
}

/// A part of an event that has a fingerprint of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Aggregate and sequence.
    Identity,
    /// Type, version and time.
    TypeAndTime,
    /// What happened.
    Payload,
    /// Who, when, why.
    Metadata,
}

impl Part {
    /// In the order of the fingerprints.
    pub(super) const ALL: [Self; 4] = [Self::Identity, Self::TypeAndTime, Self::Payload, Self::Metadata];
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity (aggregate or sequence)",
            Self::TypeAndTime => "type, version or recorded time",
            Self::Payload => "payload",
            Self::Metadata => "metadata",
        })
    }
}

/// What is wrong with a seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SealDefect {
    /// Seals before it are missing.
    Missing,
    /// It should be there, being counted, and is not.
    Gone,
    /// Its note is not one.
    Unreadable,
    /// It is signed with a key that is not trusted.
    ForeignKey,
    /// Its signature is not by the key it names.
    Signature,
    /// It covers another number of events than it has fingerprints for.
    Count,
    /// The events are those of its fingerprints, and yet the chain has another hash.
    Hash,
}

impl fmt::Display for SealDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "it does not follow on the seal before: at least one between them was removed",
            Self::Gone => "it is missing at the end",
            Self::Unreadable => "it was changed: its note cannot be read",
            Self::ForeignKey => "it is signed with a key that is not trusted: the events were sealed anew by somebody, or on another machine, whose key --public-key can add",
            Self::Signature => "it was changed: its signature is wrong",
            Self::Count => "it was changed: it covers another number of events than it has fingerprints for",
            Self::Hash => "it or the one before was changed: the hash of the chain is another",
        })
    }
}

/// Something that is not as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// An event is not what it was.
    Changed {
        /// Its number in the chain, from 1.
        number: u64,
        /// Its cursor in the feed of the database; none in a file.
        #[serde(serialize_with = "as_text")]
        cursor: Option<Cursor>,
        /// The event as it is now.
        event: EventRef,
        /// What of it is not as it was.
        parts: Vec<Part>,
    },
    /// An event that was sealed is not there.
    Removed {
        /// The number it had in the chain.
        number: u64,
        /// Which one it was; none if its aggregate has no events left.
        event: Option<EventRef>,
    },
    /// An event among sealed ones was not sealed.
    Inserted {
        /// The number it has now.
        number: u64,
        /// Its cursor in the feed of the database; none in a file.
        #[serde(serialize_with = "as_text")]
        cursor: Option<Cursor>,
        /// The event.
        event: EventRef,
    },
    /// Events are in another order than they were sealed in.
    Moved {
        /// The first of them.
        event: EventRef,
        /// How many follow each other.
        events: u64,
        /// The number of the first in the chain.
        was: u64,
        /// The number it has now.
        is: u64,
    },
    /// A seal is not what it was.
    Seal {
        /// Its number.
        seal: u64,
        /// What is wrong with it.
        defect: SealDefect,
    },
    /// A checkpoint that was kept elsewhere covers more events than the seals.
    CutOff {
        /// How many events there were then.
        then: u64,
        /// How many the seals cover now.
        now: u64,
    },
    /// A checkpoint that was kept elsewhere has another hash.
    Rewritten {
        /// How many events there were then.
        then: u64,
    },
    /// A checkpoint kept elsewhere is not signed with a trusted key.
    UntrustedCheckpoint,
    /// Events have been there for long and no seal covers them.
    Unsealed {
        /// How many.
        events: u64,
        /// When the first of them was recorded.
        since: DateTime<Utc>,
    },
    /// A line of an export is not what it should be.
    Line {
        /// Its number, from 1; the one after the last if lines are missing at the end.
        line: u64,
        /// What is wrong with it.
        defect: String,
    },
}

#[expect(clippy::ref_option, reason = "as serde calls it")]
fn as_text<S: Serializer>(cursor: &Option<Cursor>, serializer: S) -> Result<S::Ok, S::Error> {
    match cursor {
        Some(cursor) => serializer.collect_str(cursor),
        None => serializer.serialize_none(),
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { number, cursor, event, parts } => {
                let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
                write!(f, "changed: number {number}{}, {event}: {}", at(*cursor), parts.join(", "))
            }
            Self::Removed { number, event: Some(event) } => write!(f, "removed: number {number}, {event}"),
            Self::Removed { number, event: None } => {
                write!(f, "removed: number {number}, of an aggregate that has no events left")
            }
            Self::Inserted { number, cursor, event } => {
                write!(f, "inserted: number {number}{}, {event}", at(*cursor))
            }
            Self::Moved { event, events: 1, was, is } => write!(f, "moved: {event}: from number {was} to {is}"),
            Self::Moved { event, events, was, is } => {
                write!(f, "moved: {event} and the {} after it: from number {was} to {is}", events - 1)
            }
            Self::Seal { seal, defect } => write!(f, "seal {seal}: {defect}"),
            Self::CutOff { then, now } => {
                write!(f, "cut off: there were {then} events when the checkpoint was signed, and seals cover {now}")
            }
            Self::Rewritten { then } => {
                write!(f, "rewritten: the first {then} events are not those of the checkpoint, whatever the seals say")
            }
            Self::UntrustedCheckpoint => {
                f.write_str("the checkpoint is not signed with a trusted key, so nothing follows from it")
            }
            Self::Unsealed { events, since } => write!(
                f,
                "not sealed: {events} events since {}: `ytcaption seal` does not run, or seals were removed",
                since.to_rfc3339_opts(SecondsFormat::Secs, true)
            ),
            Self::Line { line, defect } => write!(f, "line {line}: {defect}"),
        }
    }
}

fn at(cursor: Option<Cursor>) -> String {
    cursor.map(|cursor| format!(" (at {cursor})")).unwrap_or_default()
}
