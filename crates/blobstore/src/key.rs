//! The name of a blob, validated once, when it is made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::BlobError;

/// The longest accepted key, in bytes. S3 allows 1,024 and most file systems 255 for one segment.
const MAX_KEY_BYTES: usize = 512;
/// The longest accepted segment (the part between two slashes), in bytes.
const MAX_SEGMENT_BYTES: usize = 255;

/// The name of a blob, such as `jobs/0197…/audio.wav`.
///
/// Segments of `[a-zA-Z0-9._-]` separated by single slashes; no segment is empty or starts with a
/// dot, which excludes `..`, absolute paths and the store's own hidden directories.
///
/// One key must not be a directory of another (`a` beside `a/b`): S3 allows it, a directory cannot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobKey(String);

impl BlobKey {
    /// Accepts `key` or says what is wrong with it.
    ///
    /// # Errors
    /// [`BlobError::InvalidKey`].
    pub fn new(key: impl Into<String>) -> Result<Self, BlobError> {
        let key = key.into();
        match problem(&key) {
            None => Ok(Self(key)),
            Some(reason) => Err(BlobError::InvalidKey { key, reason }),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn problem(key: &str) -> Option<&'static str> {
    if key.is_empty() {
        return Some("it is empty");
    }
    if key.len() > MAX_KEY_BYTES {
        return Some("it is longer than 512 bytes");
    }
    key.split('/').find_map(|segment| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if segment.is_empty() {
            Some("it starts or ends with a slash, or holds two in a row")
        } else if segment.starts_with('.') {
            Some("a segment starts with a dot")
        } else if segment.len() > MAX_SEGMENT_BYTES {
            Some("a segment is longer than 255 bytes")
        } else if !segment.chars().all(allowed) {
            Some("only letters, digits, '.', '_', '-' and '/' are allowed")
        } else {
            None
        }
    })
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BlobKey {
    type Err = BlobError;

    fn from_str(key: &str) -> Result<Self, BlobError> {
        Self::new(key)
    }
}

impl TryFrom<String> for BlobKey {
    type Error = BlobError;

    fn try_from(key: String) -> Result<Self, BlobError> {
        Self::new(key)
    }
}

impl From<BlobKey> for String {
    fn from(key: BlobKey) -> Self {
        key.0
    }
}

#[cfg(test)]
mod tests {
    use super::BlobKey;
    use crate::BlobError;

    #[test]
    fn accepts_plain_paths() {
        for key in ["a", "jobs/0197-ab/audio.wav", "A_b-9.tar.gz", "x..y"] {
            assert_eq!(BlobKey::new(key).map(String::from).ok().as_deref(), Some(key));
        }
    }

    #[test]
    fn refuses_what_could_leave_the_store_or_hide_in_it() {
        let long = "a/".repeat(300) + "a";
        let wide = "w".repeat(256);
        for key in [
            "",
            "/etc/passwd",
            "..",
            "a/../b",
            "a/./b",
            "a//b",
            "a/",
            ".incoming/x",
            "a/.hidden",
            "a b",
            "ä",
            "a\\b",
            "a\0b",
            "a:b",
            &long,
            &wide,
        ] {
            assert!(matches!(BlobKey::new(key), Err(BlobError::InvalidKey { .. })), "accepted {key:?}");
        }
    }
}
