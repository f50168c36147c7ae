//! The secret that signs webhooks when none is configured.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use secrecy::SecretString;
use uuid::Uuid;

use crate::key_file::PRIVATE_DIRECTORY_MODE;
use crate::settings::Settings;

/// Keeps the secret within the data directory.
const FILE: &str = "webhook-secret";
const PRIVATE_FILE_MODE: u32 = 0o600;

/// The configured secret, else the one in the data directory, made there the first time.
///
/// # Errors
/// The data directory cannot be written.
pub(crate) fn load(settings: &Settings) -> anyhow::Result<SecretString> {
    if let Some(secret) = &settings.webhook.secret {
        return Ok(secret.clone());
    }
    kept_in(&settings.data_dir).with_context(|| {
        format!("no webhook secret can be kept in {}; set webhook.secret", settings.data_dir.display())
    })
}

/// Where the secret is kept when none is configured.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

fn kept_in(data_dir: &Path) -> std::io::Result<SecretString> {
    let path = path(data_dir);
    DirBuilder::new().recursive(true).mode(PRIVATE_DIRECTORY_MODE).create(data_dir)?;
    match File::options().write(true).create_new(true).mode(PRIVATE_FILE_MODE).open(&path) {
        Ok(mut file) => {
            // Digits and a-f only, which is valid base64 of 48 bytes; 244 of its bits are random.
            let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
            writeln!(file, "{secret}")?;
            tracing::info!(file = %path.display(), "made a secret that signs webhooks; give it to their receivers");
            Ok(SecretString::from(secret))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Ok(SecretString::from(std::fs::read_to_string(&path)?.trim()))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_kept_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().expect("a temporary directory");
        let first = kept_in(home.path()).expect("a writable directory");
        let again = kept_in(home.path()).expect("a readable file");
        assert_eq!(first.expose_secret(), again.expose_secret());
        assert_eq!(first.expose_secret().len(), 64);
        let mode = std::fs::metadata(home.path().join(FILE)).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, PRIVATE_FILE_MODE);
    }
}
