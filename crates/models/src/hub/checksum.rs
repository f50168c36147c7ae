//! Checksums as the hub announces them.

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// The expected digest of a file's content, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Checksum {
    /// SHA-256 of the content; announced for large files.
    Sha256(String),
    /// SHA-1 of git's blob (`blob LENGTH\0` and the content); announced for small files.
    GitBlob(String),
}

impl Checksum {
    /// Parses an `ETag`, which has quotes and may be marked as weak. The length of the digest decides which kind it is.
    pub(super) fn parse_etag(etag: &str) -> Option<Self> {
        let digits = etag.trim().trim_start_matches("W/").trim_matches('"').to_ascii_lowercase();
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        match digits.len() {
            64 => Some(Self::Sha256(digits)),
            40 => Some(Self::GitBlob(digits)),
            _ => None,
        }
    }
}

/// Hashes a file's content.
pub(super) struct Hasher {
    sha256: Sha256,
    blob: Sha1,
}

impl Hasher {
    /// For a file of `bytes` bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let mut blob = Sha1::new();
        blob.update(format!("blob {bytes}\0"));
        Self { sha256: Sha256::new(), blob }
    }

    pub(super) fn update(&mut self, content: &[u8]) {
        self.sha256.update(content);
        self.blob.update(content);
    }

    /// The content's SHA-256; `None` if the content does not have the expected digest.
    pub(super) fn verify(self, expected: &Checksum) -> Option<String> {
        let sha256 = hex(&self.sha256.finalize());
        let matches = match expected {
            Checksum::Sha256(sum) => *sum == sha256,
            Checksum::GitBlob(sum) => *sum == hex(&self.blob.finalize()),
        };
        matches.then_some(sha256)
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher(content: &[u8]) -> Hasher {
        let mut hasher = Hasher::new(content.len() as u64);
        hasher.update(content);
        hasher
    }

    #[test]
    fn digests_are_those_of_sha256sum_and_git_hash_object() {
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let blob = "ce013625030ba8dba906f756967f9e9ca394464a";
        for etag in [format!("\"{sha256}\""), format!("W/\"{blob}\""), blob.to_uppercase()] {
            let expected = Checksum::parse_etag(&etag).expect("a checksum");
            assert_eq!(hasher(b"hello\n").verify(&expected).as_deref(), Some(sha256), "{etag}");
            assert_eq!(hasher(b"hello").verify(&expected), None, "{etag}");
        }
        for etag in ["", "\"abc\"", "\"0123456789abcdef0123456789abcdef\"", "../../x"] {
            assert_eq!(Checksum::parse_etag(etag), None, "{etag}");
        }
    }
}
