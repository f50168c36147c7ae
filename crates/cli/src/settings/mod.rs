//! Everything that can be configured, in one structure.
//!
//! Sources, later ones winning: built-in defaults, a file, environment variables, flags. All errors are found in one
//! pass. What each setting means, its default and its range are written at the field of the structure that uses it, and
//! only there: the sample file is generated from them.

mod default_model;
mod field;
mod reader;
mod rules;
mod sample;
mod sections;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use ytcaption_api::ApiSettings;
use ytcaption_blobstore::BlobSettings;
use ytcaption_models::ModelsSettings;
use ytcaption_telemetry::LogSettings;
use ytcaption_workers::download::DownloadSettings;
use ytcaption_workers::notify::WebhookSettings;
use ytcaption_workers::transcribe::TranscribeSettings;

pub(crate) use default_model::{cache_settings, catalogue, is_default_unclear, model_cache, visible};
pub(crate) use sample::sample;

use reader::Reader;
use sections::{
    BackupSettings, DatabaseSettings, EncryptionSettings, MetricsSettings, NatsSettings, NetworkSettings, SealSettings,
    ShutdownSettings, TopLevel,
};
use source::{Layers, find_file};

/// The name of the settings outside any section.
const TOP_LEVEL: &str = "";
/// Temporary files of the workers by default, within `data_dir`; emptied when `up` starts.
pub(crate) const WORK_DIRECTORY: &str = "work";

/// All settings; each field is a section.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) data_dir: PathBuf,
    pub(crate) database: DatabaseSettings,
    pub(crate) nats: NatsSettings,
    pub(crate) storage: BlobSettings,
    pub(crate) api: ApiSettings,
    pub(crate) network: NetworkSettings,
    pub(crate) download: DownloadSettings,
    pub(crate) transcription: TranscribeSettings,
    pub(crate) models: ModelsSettings,
    pub(crate) webhook: WebhookSettings,
    pub(crate) encryption: EncryptionSettings,
    pub(crate) seal: SealSettings,
    pub(crate) backup: BackupSettings,
    pub(crate) metrics: MetricsSettings,
    pub(crate) log: LogSettings,
    pub(crate) shutdown: ShutdownSettings,
}

impl Settings {
    fn from_reader(r: &mut Reader<'_>) -> Self {
        let data_dir = r.section::<TopLevel>(TOP_LEVEL).data_dir.unwrap_or_default();
        let mut settings = Self {
            data_dir,
            database: r.section("database"),
            nats: r.section("nats"),
            storage: r.section("storage"),
            api: r.section("api"),
            network: r.section("network"),
            download: r.section("download"),
            transcription: r.section("transcription"),
            models: r.section("models"),
            webhook: r.section("webhook"),
            encryption: r.section("encryption"),
            seal: r.section("seal"),
            backup: r.section("backup"),
            metrics: r.section("metrics"),
            log: r.section("log"),
            shutdown: r.section("shutdown"),
        };
        for path in [
            &mut settings.storage.path,
            &mut settings.download.work_dir,
            &mut settings.transcription.cache_dir,
            &mut settings.models.directory,
            &mut settings.encryption.master_key_file,
            &mut settings.seal.key_file,
            &mut settings.backup.key_file,
        ]
        .into_iter()
        .chain(&mut settings.encryption.previous_key_files)
        {
            // An absolute path replaces the whole.
            *path = settings.data_dir.join(&*path);
        }
        settings
    }
}

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

/// One setting that cannot be used, with its origin and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettingError(String);

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Settings with at least one error; all of them are listed.
#[derive(Debug, thiserror::Error)]
#[error("{}", list(.0))]
pub(crate) struct SettingsError(pub(crate) Vec<SettingError>);

fn list(errors: &[SettingError]) -> String {
    let heading = match errors.len() {
        1 => "one setting cannot be used".to_owned(),
        count => format!("{count} settings cannot be used"),
    };
    let lines: Vec<String> = errors.iter().map(|error| format!("\n  - {error}")).collect();
    format!("{heading}:{}\n`ytcaption settings sample` lists all settings with their meaning.", lines.concat())
}

/// Settings together with the origin of each.
pub(crate) struct Loaded {
    /// The settings.
    pub(crate) settings: Settings,
    /// Every setting as TOML with its origin, secrets masked.
    pub(crate) description: String,
}

/// Reads the settings of this process from all sources.
///
/// # Errors
/// Every error of every source.
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
    let mut errors = Vec::new();
    let path = |path: &PathBuf| path.display().to_string();
    layers.add_default("data_dir", path(&default_data_dir(variables)));
    if let Some(Err(error)) = file.map(|file| layers.add_file(file)) {
        errors.push(SettingError(error.to_string()));
    }
    layers.add_variables(variables, &["data_dir"]);
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
    let settings = Settings::from_reader(&mut reader);
    rules::check(&settings, &mut reader);
    reader.reject_unknown();
    errors.append(&mut reader.errors);
    if errors.is_empty() {
        Ok(Loaded { settings, description: sample::describe(&reader) })
    } else {
        Err(SettingsError(errors))
    }
}

fn default_data_dir(variables: &BTreeMap<String, String>) -> PathBuf {
    let absolute = |name: &str| variables.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(base) = absolute("XDG_DATA_HOME") {
        base.join("ytcaption")
    } else if nix::unistd::geteuid().is_root() {
        // Postgres does not run as root, and the user that it runs as instead cannot enter root's home.
        PathBuf::from("/var/lib/ytcaption")
    } else {
        absolute("HOME").unwrap_or_default().join(".local/share/ytcaption")
    }
}
