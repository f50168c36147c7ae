//! The master keys that the settings name.

use std::path::Path;

use anyhow::{Context as _, ensure};
use secrecy::{ExposeSecret, SecretString};
use ytcaption_eventstore::encryption::{MasterKeys, generate_master_key};

use crate::key_file;
use crate::managed::POSTGRES_DIRECTORY;
use crate::settings::Settings;

/// The current master key and the previous ones.
///
/// # Errors
/// There is none, or one of them is malformed or cannot be read.
pub(crate) fn load(settings: &Settings) -> anyhow::Result<MasterKeys> {
    load_if_set(settings)?.with_context(|| {
        let file = settings.encryption.master_key_file.display();
        format!(
            "there is no master key to encrypt personal content with: {file} is missing. All processes of a system need \
             the same key: copy the file of the system here, or set encryption.master_key \
             (YTCAPTION_ENCRYPTION__MASTER_KEY). For a new system make one: (umask 077; openssl rand -base64 32 > {file})"
        )
    })
}

/// The same, or none if there is no current master key.
///
/// # Errors
/// A key is malformed or cannot be read.
pub(crate) fn load_if_set(settings: &Settings) -> anyhow::Result<Option<MasterKeys>> {
    let encryption = &settings.encryption;
    let current = match &encryption.master_key {
        Some(key) => key.clone(),
        None => match load_key(&encryption.master_key_file)? {
            Some(key) => key,
            None => return Ok(None),
        },
    };
    let mut previous = Vec::new();
    for file in &encryption.previous_key_files {
        let key = load_key(file)?;
        previous
            .push(key.with_context(|| format!("{}: no such file (encryption.previous_key_files)", file.display()))?);
    }
    let keys = MasterKeys::parse(current.expose_secret(), previous.iter().map(SecretString::expose_secret));
    keys.context("encryption: a master key cannot be used").map(Some)
}

fn load_key(file: &Path) -> anyhow::Result<Option<SecretString>> {
    key_file::load(file).with_context(|| format!("reading the master key in {}", file.display()))
}

/// Creates a master key for a new system if none is set and the file is missing.
///
/// # Errors
/// The system has data, which only its own master key decrypts; or the file cannot be written.
pub(crate) fn create_if_missing(settings: &Settings) -> anyhow::Result<()> {
    if settings.encryption.master_key.is_some() {
        return Ok(());
    }
    let file = &settings.encryption.master_key_file;
    ensure!(
        file.exists() || !settings.data_dir.join(POSTGRES_DIRECTORY).exists(),
        "{} is missing, and {} holds a system whose personal content only that master key decrypts. Put the key back (a \
         backup has it as keys/master-key), or set encryption.master_key",
        file.display(),
        settings.data_dir.display()
    );
    let (_, created) = key_file::read_or_create(file, || Ok(generate_master_key()?))
        .with_context(|| format!("no master key can be stored in {}; set encryption.master_key", file.display()))?;
    if created {
        tracing::info!(
            file = %file.display(),
            "made the master key that personal content is encrypted with; without it the personal content of all jobs is unreadable, so \
             keep a copy elsewhere"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::settings::{Overrides, load as load_settings};

    #[test]
    fn a_master_key_is_made_once_and_kept_private() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let overrides = Overrides { data_dir: Some(home.path().to_owned()), ..Overrides::default() };
        let settings = load_settings(&overrides).expect("valid settings").settings;
        let refusal = load(&settings).expect_err("there is none").to_string();
        assert!(refusal.contains("openssl rand -base64 32"), "{refusal}");
        create_if_missing(&settings).expect("a writable directory");
        let first = load(&settings).expect("a key").current_id();
        create_if_missing(&settings).expect("it is there");
        std::fs::create_dir(home.path().join("postgres")).expect("a writable directory");
        let elsewhere = home.path().join("elsewhere");
        std::fs::rename(&settings.encryption.master_key_file, &elsewhere).expect("it can be moved");
        let refusal = create_if_missing(&settings).expect_err("the system has a key").to_string();
        assert!(refusal.contains("Put the key back"), "{refusal}");
        assert!(!settings.encryption.master_key_file.exists(), "no wrong key is left there");
        std::fs::rename(&elsewhere, &settings.encryption.master_key_file).expect("it can be moved back");
        assert_eq!(load(&settings).expect("a key").current_id(), first);
        let file = &settings.encryption.master_key_file;
        assert_eq!(std::fs::metadata(file).expect("the file").permissions().mode() & 0o777, 0o600);
        std::fs::write(file, "no key").expect("a writable file");
        assert!(format!("{:#}", load(&settings).expect_err("it is malformed")).contains("32 random bytes"));
    }
}
