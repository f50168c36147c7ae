//! Text that never shows up in logs.

use std::fmt;

/// What stands in place of a secret wherever settings are shown.
pub(crate) const MASK: &str = "(secret)";

/// A password or key. Its `Debug` form does not contain it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it where it belongs.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}
