//! What a proxy did not let through.

use crate::network::NetworkError;

/// A connection that was asked for and not made.
#[derive(Debug, Clone)]
pub(crate) struct Blocked {
    /// Host and port that were asked for. Nothing more of the address, which may carry a secret.
    pub(crate) destination: String,
    pub(crate) error: EgressError,
}

/// Why a connection was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum EgressError {
    /// The policy forbids the address, or the name leads nowhere.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The server cannot be connected to.
    #[error("{0}")]
    Unreachable(String),
    /// The server did not answer in time.
    #[error("it did not answer in time")]
    TimedOut,
    /// The operator's own proxy cannot be used.
    #[error("{0}")]
    Onward(String),
}
