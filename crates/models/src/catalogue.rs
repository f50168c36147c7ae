//! Which models exist: the subdirectories of one directory, and the default model, which may be elsewhere.

use std::path::{Path, PathBuf};

use crate::{Checksums, ModelError, ModelInfo, hub, model_name};

/// A directory with one of these files counts as a model, complete or not.
const MODEL_FILES: [&str; 4] = ["model.bin", "config.json", "vocabulary.json", "vocabulary.txt"];
/// Prefix of the directory of a repository in a Hugging Face cache; `ORG--NAME` follows.
const CACHED_REPOSITORY: &str = "models--";
/// A directory with this name holds the model that its parent is named after.
const INNER_DIRECTORY: &str = "model";

/// A directory that counts as a model. Its files have not been read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelEntry {
    /// The model's name, see [`model_name`].
    pub name: String,
    /// The directory with its files.
    pub directory: PathBuf,
    /// Its other names: its repository on the hub, and the name of its directory.
    aliases: Vec<String>,
}

impl ModelEntry {
    /// The model in `dir`, whether or not there is one.
    pub fn new(dir: &Path) -> Self {
        let name = model_name(dir);
        let own = dir.file_name().map(|own| own.to_string_lossy().into_owned());
        let repository = cached_repository(dir).or_else(|| hub::repository_of(dir));
        let aliases = own.into_iter().chain(repository).filter(|other| *other != name).collect();
        Self { name, directory: dir.to_owned(), aliases }
    }

    /// Whether `name` is the model's name or one of its other names.
    pub fn matches_name(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// Reads the model's description from its files; the numbers of the weights only to verify checksums.
    ///
    /// # Errors
    /// As [`ModelInfo::open`].
    pub fn info(&self, checksums: Checksums) -> Result<ModelInfo, ModelError> {
        ModelInfo::open(&self.directory, checksums)
    }
}

/// `ORG/NAME` of a snapshot in a Hugging Face cache.
fn cached_repository(snapshot: &Path) -> Option<String> {
    let repository = snapshot.parent()?.parent()?.file_name()?.to_str()?.strip_prefix(CACHED_REPOSITORY)?;
    Some(repository.replacen("--", "/", 1))
}

/// The models in a directory, by name; none if the directory does not exist.
pub fn scan(dir: &Path) -> Vec<ModelEntry> {
    let Ok(inside) = std::fs::read_dir(dir) else { return Vec::new() };
    let visible = |path: &PathBuf| path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."));
    let directories = inside.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).filter(visible);
    let models = directories.filter_map(|directory| model_in(&directory));
    let mut found: Vec<ModelEntry> = models.map(|model| ModelEntry::new(&model)).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.directory.cmp(&b.directory)));
    found
}

/// The directory of the model that a subdirectory is or contains.
fn model_in(dir: &Path) -> Option<PathBuf> {
    let is_model = |dir: &Path| MODEL_FILES.iter().any(|file| dir.join(file).exists());
    let inner = dir.join(INNER_DIRECTORY);
    let snapshot = dir.file_name()?.to_str().filter(|name| name.starts_with(CACHED_REPOSITORY));
    let snapshot = snapshot.and_then(|_| current_snapshot(dir));
    [Some(dir.to_owned()), snapshot, Some(inner)].into_iter().flatten().find(|candidate| is_model(candidate))
}

/// The snapshot of a cached repository that `main` refers to, else the last by name.
fn current_snapshot(repository: &Path) -> Option<PathBuf> {
    let snapshots = repository.join("snapshots");
    let main = std::fs::read_to_string(repository.join("refs/main")).ok();
    let main = main.map(|commit| snapshots.join(commit.trim())).filter(|dir| dir.is_dir());
    main.or_else(|| std::fs::read_dir(&snapshots).ok()?.filter_map(|entry| Some(entry.ok()?.path())).max())
}

/// The models that a process can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    directory: PathBuf,
    default: ModelEntry,
}

impl Catalogue {
    /// The models in `dir`, and `default`, which may be in it or elsewhere.
    pub fn new(dir: impl Into<PathBuf>, default: ModelEntry) -> Self {
        Self { directory: dir.into(), default }
    }

    /// The model of requests that name none.
    pub fn default_model(&self) -> &ModelEntry {
        &self.default
    }

    /// All models as they are on disk now, by name. Of two with the same name, the default or else the first is kept.
    pub fn models(&self) -> Vec<ModelEntry> {
        let mut all = scan(&self.directory);
        all.retain(|entry| entry.name != self.default.name);
        all.dedup_by(|later, first| later.name == first.name);
        all.push(self.default.clone());
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The model of that name; if there is none, one of whose other names it is.
    pub fn find(&self, name: &str) -> Option<ModelEntry> {
        let mut all = self.models();
        let exact = all.iter().position(|entry| entry.name == name);
        let found = exact.or_else(|| all.iter().position(|entry| entry.matches_name(name)))?;
        Some(all.swap_remove(found))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn model(parent: &Path, dir: &str) -> PathBuf {
        let dir = parent.join(dir);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("config.json"), "{}").unwrap();
        dir
    }

    #[test]
    fn every_subdirectory_with_a_model_file_is_a_model() {
        let home = tempfile::tempdir().unwrap();
        model(home.path(), "small");
        model(home.path(), "demo/model");
        model(home.path(), ".pull-large");
        std::fs::create_dir(home.path().join("lost+found")).unwrap();
        std::fs::write(home.path().join("notes.txt"), "").unwrap();
        model(home.path(), "models--Systran--faster-whisper-base/snapshots/aaa");
        let current = model(home.path(), "models--Systran--faster-whisper-base/snapshots/111");
        std::fs::create_dir(home.path().join("models--Systran--faster-whisper-base/refs")).unwrap();
        std::fs::write(home.path().join("models--Systran--faster-whisper-base/refs/main"), "111").unwrap();

        let found = scan(home.path());
        let names: Vec<&str> = found.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["demo", "faster-whisper-base", "small"]);
        assert_eq!(found[1].directory, current);
        assert!(found[1].matches_name("Systran/faster-whisper-base"));
        assert!(scan(&home.path().join("nowhere")).is_empty());
    }

    #[test]
    fn the_default_comes_before_another_of_its_name_and_is_found_by_its_directory() {
        let home = tempfile::tempdir().unwrap();
        model(home.path(), "models/demo");
        model(home.path(), "models/small");
        let elsewhere = model(home.path(), "demo/model");
        let catalogue = Catalogue::new(home.path().join("models"), ModelEntry::new(&elsewhere));
        let names: Vec<String> = catalogue.models().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["demo", "small"]);
        assert_eq!(catalogue.find("demo").unwrap().directory, elsewhere);
        assert_eq!(catalogue.find("model").unwrap().directory, elsewhere, "a job that names it so goes on");
        assert_eq!(catalogue.find("large"), None);
    }
}
