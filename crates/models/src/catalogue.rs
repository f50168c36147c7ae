//! Which models there are: the sub-folders of one folder, and the default model, which may lie elsewhere.

use std::path::{Path, PathBuf};

use ytcaption_whisper::{ModelError, ModelInfo, ModelSettings, model_name};

use crate::hub;

/// A folder with one of these is meant to be a model, be it whole or not.
const MODEL_FILES: [&str; 4] = ["model.bin", "config.json", "vocabulary.json", "vocabulary.txt"];
/// How the folder of a repository in a Hugging Face cache begins; `ORG--NAME` follows.
const CACHED_REPOSITORY: &str = "models--";
/// A folder so named belongs to the model that its parent is called after.
const INNER_FOLDER: &str = "model";

/// A folder that is meant to be a model. Nothing of it was read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is called.
    pub name: String,
    /// Where it lies.
    pub folder: PathBuf,
    /// Other names it answers to: its repository, and its folder's own name, by which it went before it had a better.
    also: Vec<String>,
}

impl Entry {
    /// The model in `folder`, whether there is one or not.
    pub fn of(folder: &Path) -> Self {
        let name = model_name(folder);
        let own = folder.file_name().map(|own| own.to_string_lossy().into_owned());
        let repository = cached_repository(folder).or_else(|| hub::repository_of(folder));
        let also = own.into_iter().chain(repository).filter(|other| *other != name).collect();
        Self { name, folder: folder.to_owned(), also }
    }

    /// Whether somebody who says `name` means this model.
    pub fn answers_to(&self, name: &str) -> bool {
        self.name == name || self.also.iter().any(|other| other == name)
    }

    /// Reads what it is; the weights themselves only if checksums are to be compared.
    pub fn info(&self, settings: &ModelSettings) -> Result<ModelInfo, ModelError> {
        ModelInfo::read(&self.folder, settings)
    }
}

/// `ORG/NAME` of a snapshot in a Hugging Face cache.
fn cached_repository(snapshot: &Path) -> Option<String> {
    let repository = snapshot.parent()?.parent()?.file_name()?.to_str()?.strip_prefix(CACHED_REPOSITORY)?;
    Some(repository.replacen("--", "/", 1))
}

/// The models in a folder, by name. One that does not exist has none.
pub fn scan(folder: &Path) -> Vec<Entry> {
    let Ok(inside) = std::fs::read_dir(folder) else { return Vec::new() };
    let visible = |path: &PathBuf| path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."));
    let folders = inside.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).filter(visible);
    let mut found: Vec<Entry> = folders.filter_map(|folder| model_in(&folder)).map(|model| Entry::of(&model)).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.folder.cmp(&b.folder)));
    found
}

/// The model that a sub-folder is, or has within.
fn model_in(folder: &Path) -> Option<PathBuf> {
    let is_model = |folder: &Path| MODEL_FILES.iter().any(|file| folder.join(file).exists());
    let inner = folder.join(INNER_FOLDER);
    let snapshot = folder.file_name()?.to_str().filter(|name| name.starts_with(CACHED_REPOSITORY));
    let snapshot = snapshot.and_then(|_| current_snapshot(folder));
    [Some(folder.to_owned()), snapshot, Some(inner)].into_iter().flatten().find(|candidate| is_model(candidate))
}

/// Of a cached repository the snapshot that `main` stands for, else the last in order of their names.
fn current_snapshot(repository: &Path) -> Option<PathBuf> {
    let snapshots = repository.join("snapshots");
    let main = std::fs::read_to_string(repository.join("refs/main")).ok();
    let main = main.map(|commit| snapshots.join(commit.trim())).filter(|folder| folder.is_dir());
    main.or_else(|| std::fs::read_dir(&snapshots).ok()?.filter_map(|entry| Some(entry.ok()?.path())).max())
}

/// Where models are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    folder: PathBuf,
    default: Entry,
}

impl Catalogue {
    /// The models in `folder`, and `default`, in it or elsewhere.
    pub fn new(folder: impl Into<PathBuf>, default: Entry) -> Self {
        Self { folder: folder.into(), default }
    }

    /// A single model.
    pub fn single(folder: &Path) -> Self {
        // A model has no models within.
        Self::new(folder.join("models"), Entry::of(folder))
    }

    /// The model for whoever names none.
    pub fn default_model(&self) -> &Entry {
        &self.default
    }

    /// All models as they are on disk now, by name. Of two with one name the default, else the first, is the one.
    pub fn models(&self) -> Vec<Entry> {
        let mut all = scan(&self.folder);
        all.retain(|entry| entry.name != self.default.name);
        all.dedup_by(|later, first| later.name == first.name);
        all.push(self.default.clone());
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The model of that name: one that is called so, else one that answers to it.
    pub fn find(&self, name: &str) -> Option<Entry> {
        let mut all = self.models();
        let called = all.iter().position(|entry| entry.name == name);
        let found = called.or_else(|| all.iter().position(|entry| entry.answers_to(name)))?;
        Some(all.swap_remove(found))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn model(parent: &Path, folder: &str) -> PathBuf {
        let folder = parent.join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.json"), "{}").unwrap();
        folder
    }

    #[test]
    fn every_sub_folder_that_is_meant_to_be_a_model_is_one() {
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
        assert_eq!(found[1].folder, current);
        assert!(found[1].answers_to("Systran/faster-whisper-base"));
        assert!(scan(&home.path().join("nowhere")).is_empty());
    }

    #[test]
    fn the_default_stands_before_another_of_its_name_and_answers_to_its_old_one() {
        let home = tempfile::tempdir().unwrap();
        model(home.path(), "models/demo");
        model(home.path(), "models/small");
        let elsewhere = model(home.path(), "demo/model");
        let catalogue = Catalogue::new(home.path().join("models"), Entry::of(&elsewhere));
        let names: Vec<String> = catalogue.models().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["demo", "small"]);
        assert_eq!(catalogue.find("demo").unwrap().folder, elsewhere);
        assert_eq!(catalogue.find("model").unwrap().folder, elsewhere, "jobs begun before it was called demo go on");
        assert_eq!(catalogue.find("large"), None);
    }
}
