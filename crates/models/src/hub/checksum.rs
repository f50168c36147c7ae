//! Checksums as the hub gives them.

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// What a file's content must add up to, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Checksum {
    /// Of the content; what the hub gives for large files.
    Sha256(String),
    /// Of git's blob (`blob LENGTH\0` and the content); what it gives for small ones.
    GitBlob(String),
}

impl Checksum {
    /// Reads an `ETag`, which has quotes and may be marked as weak. The two kinds are told apart by their length.
    pub(super) fn of_etag(etag: &str) -> Option<Self> {
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

/// Adds up a file's content.
pub(super) struct Sum {
    sha256: Sha256,
    blob: Sha1,
}

impl Sum {
    /// For a file that will have `bytes` bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let mut blob = Sha1::new();
        blob.update(format!("blob {bytes}\0"));
        Self { sha256: Sha256::new(), blob }
    }

    pub(super) fn add(&mut self, content: &[u8]) {
        self.sha256.update(content);
        self.blob.update(content);
    }

    /// The content's SHA-256, if the content is what it must be.
    pub(super) fn check(self, expected: &Checksum) -> Option<String> {
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

    fn sum(content: &[u8]) -> Sum {
        let mut sum = Sum::new(content.len() as u64);
        sum.add(content);
        sum
    }

    #[test]
    fn sums_are_those_of_sha256sum_and_git_hash_object() {
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let blob = "ce013625030ba8dba906f756967f9e9ca394464a";
        for etag in [format!("\"{sha256}\""), format!("W/\"{blob}\""), blob.to_uppercase()] {
            let expected = Checksum::of_etag(&etag).expect("a checksum");
            assert_eq!(sum(b"hello\n").check(&expected).as_deref(), Some(sha256), "{etag}");
            assert_eq!(sum(b"hello").check(&expected), None, "{etag}");
        }
        for etag in ["", "\"abc\"", "\"0123456789abcdef0123456789abcdef\"", "../../x"] {
            assert_eq!(Checksum::of_etag(etag), None, "{etag}");
        }
    }
}
