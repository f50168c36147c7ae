//! The name of a model on the hub.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Short names and their repositories, as faster-whisper has them (`faster_whisper.utils._MODELS`).
pub const ALIASES: [(&str, &str); 19] = [
    ("tiny", "Systran/faster-whisper-tiny"),
    ("tiny.en", "Systran/faster-whisper-tiny.en"),
    ("base", "Systran/faster-whisper-base"),
    ("base.en", "Systran/faster-whisper-base.en"),
    ("small", "Systran/faster-whisper-small"),
    ("small.en", "Systran/faster-whisper-small.en"),
    ("medium", "Systran/faster-whisper-medium"),
    ("medium.en", "Systran/faster-whisper-medium.en"),
    ("large-v1", "Systran/faster-whisper-large-v1"),
    ("large-v2", "Systran/faster-whisper-large-v2"),
    ("large-v3", "Systran/faster-whisper-large-v3"),
    ("large", "Systran/faster-whisper-large-v3"),
    ("distil-small.en", "Systran/faster-distil-whisper-small.en"),
    ("distil-medium.en", "Systran/faster-distil-whisper-medium.en"),
    ("distil-large-v2", "Systran/faster-distil-whisper-large-v2"),
    ("distil-large-v3", "Systran/faster-distil-whisper-large-v3"),
    ("distil-large-v3.5", "distil-whisper/distil-large-v3.5-ct2"),
    ("large-v3-turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo"),
    ("turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo"),
];

/// The branch that is meant when none is named.
const MAIN: &str = "main";
/// The hub's own limit on each part of a repository's name.
const MAX_PART: usize = 96;
/// Maximum length of the name of a branch, tag or commit.
const MAX_REVISION: usize = 200;
/// A revision may have slashes, as `refs/pr/1` has; in a URL they are not separators.
const IN_PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'/').add(b'%').add(b'?').add(b'#');

/// A model on the hub, and the name of its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// `ORG/NAME`.
    pub repository: String,
    /// Branch, tag or commit.
    pub revision: String,
    /// Name of its directory on this machine.
    pub name: String,
}

impl Reference {
    /// The same model with another name for its directory.
    ///
    /// # Errors
    /// [`ReferenceError::Name`] if the name has other characters than letters, digits, `.`, `_` and `-`.
    pub fn named(self, name: &str) -> Result<Self, ReferenceError> {
        if is_plain(name) { Ok(Self { name: name.to_owned(), ..self }) } else { Err(ReferenceError::Name(name.into())) }
    }

    /// The revision as a part of a URL's path.
    pub(super) fn revision_in_path(&self) -> String {
        utf8_percent_encode(&self.revision, IN_PATH).to_string()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.revision)
    }
}

/// A text is not a valid reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Neither an alias nor `ORG/NAME`.
    #[error("{0:?} is not a valid model: give ORG/NAME as on the hub, or one of {aliases}", aliases = aliases())]
    Unknown(String),
    /// The part after `@` is not a revision.
    #[error("{0:?} is not a valid branch, tag or commit")]
    Revision(String),
    /// The name cannot be that of a directory.
    #[error("{0:?} is not a valid name for a model: use letters, digits, `.`, `_` and `-`")]
    Name(String),
}

fn aliases() -> String {
    ALIASES.map(|(alias, _)| alias).join(", ")
}

impl FromStr for Reference {
    type Err = ReferenceError;

    /// Parses `ORG/NAME` or an alias, and after `@` a revision.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (model, revision) = text.split_once('@').unwrap_or((text, MAIN));
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
        let odd = revision.is_empty() || revision.len() > MAX_REVISION || revision.contains("..");
        if odd || !revision.chars().all(fits) {
            return Err(ReferenceError::Revision(revision.to_owned()));
        }
        let unknown = || ReferenceError::Unknown(model.to_owned());
        let repository = match ALIASES.iter().find(|(alias, _)| *alias == model) {
            Some((_, repository)) => *repository,
            None => model,
        };
        let (organisation, name) = repository.split_once('/').ok_or_else(unknown)?;
        if !is_plain(organisation) || !is_plain(name) {
            return Err(unknown());
        }
        let name = if repository == model { name } else { model };
        Ok(Self { repository: repository.to_owned(), revision: revision.to_owned(), name: name.to_owned() })
    }
}

/// Whether a text is one part of a path, and not a hidden one.
fn is_plain(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=MAX_PART).contains(&text.len()) && !text.starts_with(['.', '-']) && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_repositories_and_revisions_are_parsed() {
        let parsed = |text: &str| {
            let Reference { repository, revision, name } = text.parse().expect(text);
            (repository, revision, name)
        };
        let expected = |repository: &str, revision: &str, name: &str| (repository.into(), revision.into(), name.into());
        assert_eq!(parsed("small"), expected("Systran/faster-whisper-small", "main", "small"));
        assert_eq!(parsed("me/my-whisper"), expected("me/my-whisper", "main", "my-whisper"));
        assert_eq!(parsed("me/my-whisper@refs/pr/1"), expected("me/my-whisper", "refs/pr/1", "my-whisper"));
        assert_eq!(parsed("tiny@v1.0"), expected("Systran/faster-whisper-tiny", "v1.0", "tiny"));
        let branch: Reference = "me/my-whisper@refs/pr/1".parse().expect("a model");
        assert_eq!(branch.revision_in_path(), "refs%2Fpr%2F1");
        for (_, repository) in ALIASES {
            assert!(repository.parse::<Reference>().is_ok(), "{repository}");
        }
    }

    #[test]
    fn names_that_could_leave_the_directory_are_errors() {
        for text in ["", "huge", "a/b/c", "../b", "a/..", "a/.b", "/b", "a/", "a b/c", "a/b?x", "-a/b", "a/b\n"] {
            assert!(matches!(text.parse::<Reference>(), Err(ReferenceError::Unknown(_))), "{text:?}");
        }
        for text in ["a/b@", "a/b@../x", "a/b@x y", "a/b@x#y"] {
            assert!(matches!(text.parse::<Reference>(), Err(ReferenceError::Revision(_))), "{text:?}");
        }
        let small: Reference = "small".parse().expect("an alias");
        assert!(small.clone().named("../x").is_err() && small.named("mine").is_ok());
    }
}
