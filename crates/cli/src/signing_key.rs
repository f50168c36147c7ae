//! The keys that sign: one for seals, one for backups. Each is made the first time, then kept.

use std::path::Path;

use anyhow::Context as _;
use secrecy::SecretString;
use ytcaption_eventstore::seal::{SealingKey, VerifyingKey};

use crate::key_file;
use crate::settings::Settings;

/// The key that seals events, in the file that the settings name, made there the first time.
///
/// # Errors
/// The file cannot be written or holds no key.
pub(crate) fn for_seals(settings: &Settings) -> anyhow::Result<SealingKey> {
    let file = &settings.seal.key_file;
    let (key, created) = kept_in(file)
        .with_context(|| format!("no key for seals can be kept in {}; set seal.key_file", file.display()))?;
    if created {
        tracing::info!(
            file = %file.display(), public_key = %key.verifying_key(),
            "made a key that seals events; keep its public half elsewhere, for `ytcaption events verify --public-key`"
        );
    }
    Ok(key)
}

/// The key that signs backups, in the file that the settings name, made there the first time. It is in no backup: who can
/// change a backup could sign it again with a key that is in it.
///
/// # Errors
/// The file cannot be written or holds no key.
pub(crate) fn for_backups(settings: &Settings) -> anyhow::Result<SealingKey> {
    let file = &settings.backup.key_file;
    let kept = kept_in(file);
    Ok(kept.with_context(|| format!("no key for backups can be kept in {}; set backup.key_file", file.display()))?.0)
}

/// The public half of the key that seals events, if it is there and can be read.
pub(crate) fn public_of_seals(settings: &Settings) -> Option<VerifyingKey> {
    public_in(&settings.seal.key_file)
}

/// The public half of the key that signs backups, if it is there and can be read.
pub(crate) fn public_of_backups(settings: &Settings) -> Option<VerifyingKey> {
    public_in(&settings.backup.key_file)
}

/// The public key that a person gave on the command line: the key itself, a file with it, or the PEM file of the private key.
///
/// # Errors
/// It is none of these.
pub(crate) fn parse_public(given: &str) -> anyhow::Result<VerifyingKey> {
    match given.parse() {
        Ok(key) => Ok(key),
        Err(error) => {
            let text = std::fs::read_to_string(given).map_err(|_| error)?;
            let private = SealingKey::from_pem(&SecretString::from(text.clone()));
            private.map_or_else(|_| text.parse().with_context(|| format!("in {given}")), |key| Ok(key.verifying_key()))
        }
    }
}

fn public_in(file: &Path) -> Option<VerifyingKey> {
    let pem = std::fs::read_to_string(file).ok()?;
    SealingKey::from_pem(&pem.into()).ok().map(|key| key.verifying_key())
}

/// The key, and whether this call has made it.
fn kept_in(path: &Path) -> anyhow::Result<(SealingKey, bool)> {
    let (pem, created) = key_file::read_or_create(path, || Ok(SealingKey::generate()?.to_pem()?))?;
    Ok((SealingKey::from_pem(&pem)?, created))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().expect("a temporary directory");
        let file = home.path().join("keys/seal.pem");
        let (first, created) = kept_in(&file).expect("a writable directory");
        let (again, created_again) = kept_in(&file).expect("a readable file");
        assert_eq!((again.verifying_key(), created, created_again), (first.verifying_key(), true, false));
        let mode = std::fs::metadata(&file).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&file, "no key").expect("a writable file");
        let refusal = kept_in(&file).expect_err("not a key").to_string();
        assert!(refusal.contains("openssl genpkey"), "{refusal}");
    }

    #[test]
    fn a_public_key_is_given_as_text_as_its_file_or_as_the_private_file() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let private = home.path().join("backup-key.pem");
        let key = kept_in(&private).expect("a writable directory").0.verifying_key();
        let public = home.path().join("backup-key.pub");
        std::fs::write(&public, format!("{key}\n")).expect("a writable directory");
        for given in [key.to_string(), public.display().to_string(), private.display().to_string()] {
            assert_eq!(parse_public(&given).expect("a key"), key, "{given}");
        }
        // Four bytes of a hash are soon made again, so they are not enough.
        let id = key.to_string().split('+').nth(1).expect("an id").to_owned();
        assert!(parse_public(&id).is_err());
    }
}
