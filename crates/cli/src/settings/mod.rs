//! Everything that can be configured, in one place.
//!
//! Sources, later ones winning: built-in defaults, a file, environment variables, flags. All faults
//! are found in one go. What each setting means stands where it is read ([`servers`], [`faces`],
//! [`stages`], [`process`]), and only there: the sample file is written from it.

mod faces;
mod kind;
mod model;
mod models;
mod process;
mod reader;
mod sample;
mod seal;
mod secret;
mod servers;
mod source;
mod stages;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) use model::{cache_settings, catalogue, is_default_unclear, model_cache, seen};
pub(crate) use process::LogFormat;
pub(crate) use reader::Fault;
pub(crate) use sample::sample;
pub(crate) use secret::Secret;
pub(crate) use stages::{Download, WORK_FOLDER};
pub(crate) use tree::Settings;

use reader::{Entry, Reader};
use source::{Layers, find_file};

/// Settings outside any section.
const TOP_LEVEL: [&str; 1] = ["data_dir"];

/// Flags that override settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    /// `--config`
    pub(crate) config: Option<PathBuf>,
    /// `--data-dir`
    pub(crate) data_dir: Option<PathBuf>,
    /// `--listen`
    pub(crate) listen: Option<String>,
    /// `--model`
    pub(crate) model: Option<PathBuf>,
}

/// Settings with at least one fault; all of them are listed.
#[derive(Debug, thiserror::Error)]
#[error("{}", list(.0))]
pub(crate) struct SettingsError(pub(crate) Vec<Fault>);

fn list(faults: &[Fault]) -> String {
    let heading = match faults.len() {
        1 => "one setting cannot be used".to_owned(),
        count => format!("{count} settings cannot be used"),
    };
    let lines: Vec<String> = faults.iter().map(|fault| format!("\n  - {fault}")).collect();
    format!("{heading}:{}\n`ytcaption settings sample` lists all settings with their meaning.", lines.concat())
}

/// Settings together with where each comes from.
pub(crate) struct Loaded {
    /// The settings.
    pub(crate) settings: Settings,
    entries: Vec<Entry>,
}

impl Loaded {
    /// Every setting as TOML with its origin, secrets masked.
    pub(crate) fn describe(&self) -> String {
        sample::describe(&self.entries)
    }
}

/// Reads the settings of this process from all sources.
///
/// # Errors
/// Every fault of every source.
pub(crate) fn load(overrides: &Overrides) -> Result<Loaded, SettingsError> {
    let variables = variables();
    let file = find_file(overrides.config.as_deref(), &variables);
    load_from(file.as_deref(), &variables, overrides)
}

/// The settings file that [`load`] reads with these flags, if there is one.
pub(crate) fn file(overrides: &Overrides) -> Option<PathBuf> {
    find_file(overrides.config.as_deref(), &variables())
}

fn variables() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn load_from(
    file: Option<&Path>,
    variables: &BTreeMap<String, String>,
    overrides: &Overrides,
) -> Result<Loaded, SettingsError> {
    let mut layers = Layers::default();
    let mut faults = Vec::new();
    if let Some(Err(error)) = file.map(|file| layers.add_file(file)) {
        faults.push(Fault(error.to_string()));
    }
    layers.add_variables(variables, &TOP_LEVEL);
    let path = |path: &PathBuf| path.display().to_string();
    for (flag, key, value) in [
        ("--data-dir", "data_dir", overrides.data_dir.as_ref().map(path)),
        ("--listen", "api.listen", overrides.listen.clone()),
        ("--model", "transcription.model", overrides.model.as_ref().map(path)),
    ] {
        if let Some(value) = value {
            layers.add_flag(flag, key, value);
        }
    }
    let mut reader = Reader::new(&layers);
    let settings = tree::read(&mut reader, variables);
    reader.reject_unknown();
    faults.append(&mut reader.faults);
    if faults.is_empty() { Ok(Loaded { settings, entries: reader.entries }) } else { Err(SettingsError(faults)) }
}
