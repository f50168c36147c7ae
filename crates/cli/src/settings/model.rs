//! Where the Whisper model lies when no setting says so.

use std::path::{Path, PathBuf};

use super::Settings;

/// The file that makes a folder a CTranslate2 model.
const MODEL_FILE: &str = "model.bin";
/// The model of a checkout, relative to its root.
const DEMO_MODEL: &str = "models/demo/model";
/// How far above the program a checkout's root may lie (`target/debug/ytcaption`).
const LEVELS_ABOVE_PROGRAM: usize = 4;

/// No model to transcribe with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelError {
    /// The folder that was asked for is none.
    #[error(
        "{} is no model folder (it has no {MODEL_FILE}); point transcription.model or --model at the folder \
         of a Whisper model in CTranslate2 format", .0.display()
    )]
    NotAModel(PathBuf),
    /// No folder was asked for and none was found.
    #[error(
        "no Whisper model found; set transcription.model (or --model) to the folder of a Whisper model in \
         CTranslate2 format, such as a faster-whisper download. Looked in: {}", paths(.0)
    )]
    NotFound(Vec<PathBuf>),
}

fn paths(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The folder of the model to use.
///
/// # Errors
/// The configured folder is none, or nothing is configured and none lies in the usual places.
pub(crate) fn find_model(settings: &Settings) -> Result<PathBuf, ModelError> {
    let program = std::env::current_exe().ok();
    choose(settings.transcription.model.as_deref(), &settings.data_dir, program.as_deref())
}

fn choose(configured: Option<&Path>, data_dir: &Path, program: Option<&Path>) -> Result<PathBuf, ModelError> {
    let is_model = |folder: &Path| folder.join(MODEL_FILE).is_file();
    if let Some(folder) = configured {
        return if is_model(folder) { Ok(folder.to_owned()) } else { Err(ModelError::NotAModel(folder.to_owned())) };
    }
    let mut candidates = vec![data_dir.join("model"), PathBuf::from(DEMO_MODEL)];
    if let Some(program) = program {
        candidates.extend(program.ancestors().skip(1).take(LEVELS_ABOVE_PROGRAM).map(|above| above.join(DEMO_MODEL)));
    }
    match candidates.iter().find(|folder| is_model(folder)) {
        Some(folder) => Ok(folder.clone()),
        None => Err(ModelError::NotFound(candidates)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with_model(parent: &Path, name: &str) -> PathBuf {
        let folder = parent.join(name);
        std::fs::create_dir_all(&folder).expect("a folder in a temporary folder");
        std::fs::write(folder.join(MODEL_FILE), b"x").expect("a file in a temporary folder");
        folder
    }

    #[test]
    fn the_configured_model_wins_and_is_checked() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let configured = folder_with_model(home.path(), "chosen");
        folder_with_model(home.path(), "model");
        assert_eq!(choose(Some(&configured), home.path(), None).ok(), Some(configured));
        let missing = home.path().join("elsewhere");
        assert!(matches!(choose(Some(&missing), home.path(), None), Err(ModelError::NotAModel(_))));
    }

    #[test]
    fn the_data_folder_is_searched_then_the_checkout_around_the_program() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let program = home.path().join("target/debug/ytcaption");
        let in_checkout = folder_with_model(home.path(), DEMO_MODEL);
        let data_dir = home.path().join("data");
        assert_eq!(choose(None, &data_dir, Some(&program)).ok(), Some(in_checkout));
        let in_data = folder_with_model(&data_dir, "model");
        assert_eq!(choose(None, &data_dir, Some(&program)).ok(), Some(in_data));
    }
}
