//! The key that seals events: made the first time, then kept.

use std::path::Path;

use anyhow::Context as _;
use ytcaption_eventstore::seal::{SealingKey, VerifyingKey};

use crate::key_file;
use crate::settings::Settings;

/// The key in the file that the settings name, made there the first time.
///
/// # Errors
/// The file cannot be written or holds no key.
pub(crate) fn load(settings: &Settings) -> anyhow::Result<SealingKey> {
    let file = &settings.seal.key_file;
    kept_in(file).with_context(|| format!("no key for seals can be kept in {}; set seal.key_file", file.display()))
}

/// The public half of that key, if it is there and can be read.
pub(crate) fn public(settings: &Settings) -> Option<VerifyingKey> {
    let pem = std::fs::read_to_string(&settings.seal.key_file).ok()?;
    SealingKey::from_pem(&pem.into()).ok().map(|key| key.verifying_key())
}

fn kept_in(path: &Path) -> anyhow::Result<SealingKey> {
    let (pem, created) = key_file::read_or_create(path, || Ok(SealingKey::generate()?.to_pem()?))?;
    let key = SealingKey::from_pem(&pem)?;
    if created {
        tracing::info!(
            file = %path.display(), public_key = %key.verifying_key(),
            "made a key that seals events; keep its public half elsewhere, for `ytcaption events verify --public-key`"
        );
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().expect("a temporary directory");
        let file = home.path().join("keys/seal.pem");
        let first = kept_in(&file).expect("a writable directory").verifying_key();
        assert_eq!(kept_in(&file).expect("a readable file").verifying_key(), first);
        let mode = std::fs::metadata(&file).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&file, "no key").expect("a writable file");
        let refusal = kept_in(&file).expect_err("not a key").to_string();
        assert!(refusal.contains("openssl genpkey"), "{refusal}");
    }
}
