//! Connections that a proxy has blocked.

use crate::network::NetworkError;

/// A connection that was requested and not made.
#[derive(Debug, Clone)]
pub(crate) struct Blocked {
    /// The requested host and port. Nothing else of the URL, which may contain a secret.
    pub(crate) destination: String,
    pub(crate) error: EgressError,
}

/// Why a connection was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum EgressError {
    /// The policy forbids the address, or the name does not resolve.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The server cannot be connected to.
    #[error("{0}")]
    Unreachable(String),
    /// The server did not answer in time.
    #[error("the server did not answer in time")]
    TimedOut,
    /// The operator's own proxy cannot be used.
    #[error("{0}")]
    UpstreamProxy(String),
}
