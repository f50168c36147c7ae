//! The key that seals events.

use std::path::{Path, PathBuf};

use super::kind;
use super::reader::Reader;

#[derive(Debug, Clone)]
pub(crate) struct Seal {
    pub(crate) key_file: PathBuf,
}

pub(super) fn seal(r: &mut Reader<'_>, data_dir: &Path) -> Seal {
    r.section("seal", "Signs what has happened, so that `ytcaption events verify` finds changes.");
    let key_file = r.optional(
        "seal.key_file",
        "The private key: Ed25519 in PEM, made there the first time. Copies of `ytcaption seal` must have the same.\n\
         Default: `seal-key.pem` in the data folder.",
        "/etc/ytcaption/seal-key.pem",
        kind::path(),
    );
    Seal { key_file: key_file.unwrap_or_else(|| data_dir.join("seal-key.pem")) }
}
