//! Finds installed programs and queries their versions.

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// Longest wait for a program to print its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(20);

/// A dotted version, compared number by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(Vec<u32>);

impl Version {
    /// The first dotted number in `text`.
    pub(crate) fn find(text: &str) -> Option<Self> {
        text.split(|c: char| !c.is_ascii_digit() && c != '.')
            .find(|word| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit()))
            .map(|word| Self(word.split('.').filter_map(|part| part.parse().ok()).collect()))
    }

    /// The version with these numbers.
    pub(crate) fn new(numbers: &[u32]) -> Self {
        Self(numbers.to_vec())
    }

    /// The first number.
    pub(crate) fn major(&self) -> u32 {
        self.0.first().copied().unwrap_or_default()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

/// The program `name`: a path, or a name looked up on the PATH.
pub(crate) fn find_program(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return is_executable(name).then(|| name.to_owned());
    }
    search_path().into_iter().map(|directory| directory.join(name)).find(|path| is_executable(path))
}

/// The directories in which programs are looked for.
pub(super) fn search_path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|list| std::env::split_paths(&list).collect()).unwrap_or_default()
}

pub(super) fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// What `program` answers to `flag` (mostly `--version`): its version, and the first line of the answer.
pub(crate) async fn version_of(program: &Path, flag: &str) -> Result<(Option<Version>, String), String> {
    let run = Command::new(program).arg(flag).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = match tokio::time::timeout(VERSION_TIMEOUT, run).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(format!("{} cannot be run: {error}", program.display())),
        Err(_) => return Err(format!("{} {flag} gives no answer", program.display())),
    };
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = answer.lines().next().unwrap_or_default().to_owned();
    if output.status.success() {
        Ok((Version::find(&line), line))
    } else {
        let complaint = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
        Err(format!("{} {flag} fails: {complaint}", program.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn versions_are_found_in_what_programs_say_and_compared_by_number() {
        for (text, expected) in [
            ("nats-server: v2.10.27", &[2, 10, 27][..]),
            ("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", &[15, 14]),
            ("ffmpeg version 5.1.7-0+deb12u1 Copyright", &[5, 1, 7]),
            ("2026.08.19", &[2026, 8, 19]),
        ] {
            assert_eq!(Version::find(text), Some(Version::new(expected)), "{text}");
        }
        assert_eq!(Version::find("no version here"), None);
        assert!(Version::new(&[2, 9, 10]) < Version::new(&[2, 10]));
    }
}
