//! A file that holds a key: created once, complete whenever it is there, closed to others.

use std::fs::DirBuilder;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use tempfile::NamedTempFile;

/// Of a directory that is created for a key or a secret.
pub(crate) const PRIVATE_DIRECTORY_MODE: u32 = 0o700;

/// The text of the file; creates it with what `generate` returns if it is missing, and its directory too. The second value
/// says whether this call has created it.
///
/// # Errors
/// The file cannot be read or written, or `generate` fails.
pub(crate) fn read_or_create(
    path: &Path,
    generate: impl FnOnce() -> anyhow::Result<SecretString>,
) -> anyhow::Result<(SecretString, bool)> {
    if let Some(text) = load(path)? {
        return Ok((text, false));
    }
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Closed to other users, whatever the umask; `up` lets its servers pass through a data directory.
    DirBuilder::new().recursive(true).mode(PRIVATE_DIRECTORY_MODE).create(directory)?;
    let text = generate()?;
    // Readable by the owner only, from the start.
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(text.expose_secret().as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok((text, true)),
        // Another process was faster.
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            Ok((std::fs::read_to_string(path)?.into(), false))
        }
        Err(error) => Err(error.error.into()),
    }
}

/// The text of the file, if it is there.
///
/// # Errors
/// It is there and cannot be read.
pub(crate) fn load(path: &Path) -> io::Result<Option<SecretString>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
