//! Which models there are, and which is the default one.

use std::path::{Path, PathBuf};

use ytcaption_models::{Catalogue, ModelEntry, ModelSettings, scan};
use ytcaption_whisper::{CacheSettings, ModelCache};

use super::Settings;

/// The file that makes a directory a CTranslate2 model.
const MODEL_FILE: &str = "model.bin";
/// The model of a checkout, relative to its root.
const DEMO_MODEL: &str = "models/demo/model";
/// Set by `scripts/ytcaption`: the root of its checkout.
const CHECKOUT_VARIABLE: &str = "YTCAPTION_CHECKOUT";
/// How far above the program the root of a checkout may be (`target/debug/ytcaption`).
const LEVELS_ABOVE_PROGRAM: usize = 4;

/// No model to transcribe with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoModel {
    /// The requested model is neither a directory with a model nor the name of one.
    #[error(
        "{} is neither a model directory (it has no {MODEL_FILE}) nor the name of a model ({}; {}); name one of those, set the \
         directory of a Whisper model in CTranslate2 format, or fetch one with `ytcaption models pull`",
        requested.display(), directory.display(), known_or_none(known)
    )]
    NotAModel {
        /// The requested name or path.
        requested: PathBuf,
        /// The directory of models.
        directory: PathBuf,
        /// Names of the models there are.
        known: Vec<String>,
    },
    /// No model is configured and none was found.
    #[error(
        "no Whisper model found; fetch one with `ytcaption models pull small`, or set transcription.model (or --model) \
         to the directory of a Whisper model in CTranslate2 format. Looked in: {}", paths(.0)
    )]
    NotFound(Vec<PathBuf>),
}

fn paths(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn known_or_none(names: &[String]) -> String {
    if names.is_empty() { "there is none".to_owned() } else { format!("there are {}", names.join(", ")) }
}

/// The models that these settings name.
///
/// # Errors
/// The configured model does not exist, or none is configured and none was found.
pub(crate) fn catalogue(settings: &Settings) -> Result<Catalogue, NoModel> {
    let program = installed_program();
    let directory = &settings.models.directory;
    let default = choose(settings.transcription.model.as_deref(), directory, &settings.data_dir, program.as_deref())?;
    Ok(Catalogue::new(directory, default))
}

/// Where the program is, so that what comes with it is found: within the checkout that `scripts/ytcaption` names, because what
/// is built there may be kept elsewhere.
fn installed_program() -> Option<PathBuf> {
    let checkout = std::env::var_os(CHECKOUT_VARIABLE).map(|root| PathBuf::from(root).join("ytcaption"));
    checkout.or_else(|| std::env::current_exe().ok())
}

/// The models that this process sees, to list them without loading any: a default that is missing is one of them.
///
/// # Errors
/// There is no model here, so nothing is known of those that other workers may have.
pub(crate) fn visible(settings: &Settings) -> Result<Catalogue, NoModel> {
    match catalogue(settings) {
        Err(NoModel::NotAModel { requested, directory, .. }) if !scan(&directory).is_empty() => {
            let missing = ModelEntry::new(&directory.join(requested));
            Ok(Catalogue::new(directory, missing))
        }
        other => other,
    }
}

/// The models that these settings name, to be loaded as they say.
///
/// # Errors
/// As [`catalogue`].
pub(crate) fn model_cache(settings: &Settings) -> Result<ModelCache, NoModel> {
    Ok(ModelCache::new(cache_settings(settings)?))
}

/// How these settings have models loaded.
///
/// # Errors
/// As [`catalogue`].
pub(crate) fn cache_settings(settings: &Settings) -> Result<CacheSettings, NoModel> {
    Ok(CacheSettings {
        catalogue: catalogue(settings)?,
        model: ModelSettings {
            device: settings.models.device,
            device_index: settings.models.device_index,
            compute_type: settings.models.compute_type,
            intra_threads: settings.transcription.threads,
            inter_threads: settings.transcription.concurrency,
            ..ModelSettings::default()
        },
        memory_bytes: settings.models.memory_bytes(),
    })
}

/// Whether there are several models and no setting says which is the default.
pub(crate) fn is_default_unclear(settings: &Settings) -> bool {
    settings.transcription.model.is_none() && scan(&settings.models.directory).len() > 1
}

fn choose(
    configured: Option<&Path>,
    directory: &Path,
    data_dir: &Path,
    program: Option<&Path>,
) -> Result<ModelEntry, NoModel> {
    let is_model = |directory: &Path| directory.join(MODEL_FILE).is_file();
    let mut elsewhere = vec![data_dir.join("model"), PathBuf::from(DEMO_MODEL)];
    if let Some(program) = program {
        elsewhere.extend(program.ancestors().skip(1).take(LEVELS_ABOVE_PROGRAM).map(|above| above.join(DEMO_MODEL)));
    }
    let mut models = scan(directory);
    models.extend(elsewhere.iter().filter(|directory| is_model(directory)).map(|directory| ModelEntry::new(directory)));
    let Some(requested) = configured else {
        // The first that is whole, so that a broken one does not keep the others from being used.
        return match models.iter().position(|entry| is_model(&entry.directory)) {
            Some(first) => Ok(models.swap_remove(first)),
            None => Err(NoModel::NotFound([vec![directory.to_owned()], elsewhere].concat())),
        };
    };
    let named = requested.to_str().and_then(|name| models.iter().position(|entry| entry.matches_name(name)));
    match named {
        Some(named) => Ok(models.swap_remove(named)),
        None if is_model(requested) => Ok(ModelEntry::new(requested)),
        None => {
            let mut known: Vec<String> = models.into_iter().map(|entry| entry.name).collect();
            known.dedup();
            Err(NoModel::NotAModel { requested: requested.to_owned(), directory: directory.to_owned(), known })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory_with_model(parent: &Path, name: &str) -> PathBuf {
        let directory = parent.join(name);
        std::fs::create_dir_all(&directory).expect("a directory in a temporary directory");
        std::fs::write(directory.join(MODEL_FILE), b"x").expect("a file in a temporary directory");
        directory
    }

    fn chosen(configured: Option<&Path>, home: &Path, program: Option<&Path>) -> Option<PathBuf> {
        choose(configured, &home.join("models"), &home.join("data"), program).ok().map(|entry| entry.directory)
    }

    #[test]
    fn the_configured_model_wins_and_is_checked() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let elsewhere = directory_with_model(home.path(), "chosen");
        let small = directory_with_model(home.path(), "models/small");
        let base = directory_with_model(home.path(), "models/base");
        assert_eq!(chosen(Some(&elsewhere), home.path(), None), Some(elsewhere));
        assert_eq!(chosen(Some(Path::new("small")), home.path(), None), Some(small));
        assert_eq!(chosen(None, home.path(), None), Some(base), "the first by name");
        let demo = directory_with_model(home.path(), DEMO_MODEL);
        let program = home.path().join("ytcaption");
        assert_eq!(chosen(Some(Path::new("demo")), home.path(), Some(&program)), Some(demo));
        let missing = choose(Some(Path::new("large")), &home.path().join("models"), home.path(), None);
        let said = missing.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains("there are base, demo, small"), "{said}");
    }

    #[test]
    fn the_data_directory_is_searched_then_the_checkout_around_the_program() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let program = home.path().join("target/debug/ytcaption");
        let in_checkout = directory_with_model(home.path(), DEMO_MODEL);
        // Not the checkout's own `models`: that is for models, and this holds how the demo model was made.
        let choose = || choose(None, &home.path().join("none"), &home.path().join("data"), Some(&program));
        assert_eq!(choose().ok().map(|entry| entry.directory), Some(in_checkout));
        let in_data = directory_with_model(&home.path().join("data"), "model");
        assert_eq!(choose().ok().map(|entry| entry.directory), Some(in_data));
    }
}
