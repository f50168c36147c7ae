//! A fetched recording.

use std::path::PathBuf;

/// Where it lies, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Media {
    /// In the attempt's own folder.
    pub(super) path: PathBuf,
    /// Its title, if the page has one.
    pub(super) title: Option<String>,
}
