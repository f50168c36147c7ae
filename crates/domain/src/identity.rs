//! Identities: jobs, accounts, actors.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Identifies a job; a UUID of version 7, so ids sort by creation time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct JobId(pub Uuid);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The account that owns a job. Until accounts become aggregates there is one, [`AccountId::local`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AccountId(pub String);

impl AccountId {
    /// The one account of an installation without sign-in. It is named explicitly everywhere, so that a query without an
    /// account does not compile.
    pub fn local() -> Self {
        Self("local".to_owned())
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who gave a command, written `kind:id` in event metadata.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A person or program outside, as the API knows it; `anonymous` while there is no sign-in.
    Client(String),
    /// A worker of a step, for example `download@host:4711`.
    Worker(String),
    /// An actor of a kind that this program does not know; a newer program wrote it.
    Other {
        /// Its kind.
        kind: String,
        /// Its name within that kind.
        id: String,
    },
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(id) => write!(f, "client:{id}"),
            Self::Worker(id) => write!(f, "worker:{id}"),
            Self::Other { kind, id } => write!(f, "{kind}:{id}"),
        }
    }
}

impl FromStr for Actor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("client", id)) => Ok(Self::Client(id.to_owned())),
            Some(("worker", id)) => Ok(Self::Worker(id.to_owned())),
            Some((kind, id)) => Ok(Self::Other { kind: kind.to_owned(), id: id.to_owned() }),
            None => Err(format!("`{text}` is not an actor; expected `client:…` or `worker:…`")),
        }
    }
}
