//! The single checks.

use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use ytcaption_models::{Checksums, ModelEntry};
use ytcaption_workers::download::DownloadSettings;

use super::Outcome;
use crate::managed::{NATS_MINIMUM_VERSION, Version, find_postgres, find_program, version_of};
use crate::settings::{Settings, cache_settings, is_default_unclear, model_cache};

/// What to do when a part of ffmpeg is missing.
pub(super) const INSTALL_FFMPEG: &str = "install ffmpeg (Debian: apt-get install ffmpeg)";
const INSTALL_YT_DLP: &str = "install yt-dlp (pip install 'yt-dlp[default]') or set download.yt_dlp to it";
const INSTALL_NATS: &str = "install nats-server 2.10 or newer, or set NATS_URL";
/// The oldest Postgres with `idle_session_timeout`, on which the lease of the relay's leader rests.
const POSTGRES_MINIMUM_VERSION: u32 = 14;
/// Sites change: a yt-dlp that is older than a year mostly fails.
const YT_DLP_OLDEST_DAYS: i64 = 365;
/// Longest wait for a server.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a program is there and runs.
pub(super) async fn program(name: &str, version_flag: &str, hint: &str) -> Outcome {
    let Some(path) = find_program(Path::new(name)) else { return Outcome::Bad(format!("not found: {hint}")) };
    match version_of(&path, version_flag).await {
        Ok((Some(version), _)) => Outcome::Ok(format!("{version} ({})", path.display())),
        Ok((None, said)) => Outcome::Note(format!("{} does not report its version: {said}", path.display())),
        Err(error) => Outcome::Bad(format!("{error}; {hint}")),
    }
}

/// Whether yt-dlp is there and young enough.
pub(super) async fn yt_dlp(download: &DownloadSettings) -> Outcome {
    let Some(path) = find_program(&download.yt_dlp) else {
        return Outcome::Bad(format!("{} was not found: {INSTALL_YT_DLP}", download.yt_dlp.display()));
    };
    let said = match version_of(&path, "--version").await {
        Ok((_, said)) => said,
        Err(error) => return Outcome::Bad(format!("{error}; {INSTALL_YT_DLP}")),
    };
    let date = said.get(..10).unwrap_or(&said);
    #[expect(clippy::disallowed_methods, reason = "the age of a program is measured by the real clock")]
    let today = chrono::Utc::now().date_naive();
    match chrono::NaiveDate::parse_from_str(date, "%Y.%m.%d") {
        Ok(date) if (today - date).num_days() > YT_DLP_OLDEST_DAYS => {
            Outcome::Note(format!("{said} is more than a year old, and sites change: update it ({})", path.display()))
        }
        _ => Outcome::Ok(format!("{said} ({})", path.display())),
    }
}

/// Whether yt-dlp finds what it needs for YouTube.
pub(super) async fn java_script() -> Outcome {
    match program("deno", "--version", "").await {
        Outcome::Ok(found) => Outcome::Ok(format!("deno {found}")),
        _ => Outcome::Note(
            "no deno found: yt-dlp needs it for YouTube, not for other sites (pip install deno)".to_owned(),
        ),
    }
}

/// Whether the data directory can be written.
pub(super) fn data_directory(path: &Path) -> Outcome {
    // The directory itself may not be there yet: then it must be possible to make it.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let existing = absolute.ancestors().find(|directory| directory.is_dir());
    let Some(existing) = existing else { return Outcome::Bad(format!("{} cannot be made", path.display())) };
    match tempfile::tempfile_in(existing) {
        Ok(_) if existing == absolute => Outcome::Ok(path.display().to_string()),
        Ok(_) => Outcome::Ok(format!("{} (will be made)", path.display())),
        Err(error) => {
            Outcome::Bad(format!("{} cannot be written ({error}); choose another with --data-dir", existing.display()))
        }
    }
}

/// Whether the configured Postgres answers, or the programs for one of our own are there.
pub(super) async fn postgres(settings: &Settings) -> Outcome {
    let Some(url) = &settings.database.url else {
        return match find_postgres() {
            Ok(directory) => match version_of(&directory.join("postgres"), "--version").await {
                Ok((Some(version), _)) if version.major() >= POSTGRES_MINIMUM_VERSION => {
                    Outcome::Ok(format!("{version} ({}), run by `ytcaption up`", directory.display()))
                }
                Ok((_, said)) => Outcome::Bad(format!(
                    "{said} is too old: install Postgres {POSTGRES_MINIMUM_VERSION} or newer, or set DATABASE_URL"
                )),
                Err(error) => Outcome::Bad(error),
            },
            Err(error) => Outcome::Bad(error.to_string()),
        };
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, postgres_version(url.expose_secret())).await {
        Ok(Ok(version)) if Version::find(&version).is_some_and(|v| v.major() >= POSTGRES_MINIMUM_VERSION) => {
            Outcome::Ok(format!("{version}, from database.url"))
        }
        Ok(Ok(version)) => {
            Outcome::Bad(format!("the server is version {version}; {POSTGRES_MINIMUM_VERSION} or newer is needed"))
        }
        Ok(Err(error)) => Outcome::Bad(format!("database.url (DATABASE_URL) cannot be used: {error}")),
        Err(_) => Outcome::Bad("the server at database.url (DATABASE_URL) does not answer".to_owned()),
    }
}

async fn postgres_version(url: &str) -> Result<String, sqlx::Error> {
    let mut connection = url.parse::<PgConnectOptions>()?.connect().await?;
    let version = sqlx::query_scalar("SHOW server_version").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(version)
}

/// Whether the configured NATS answers and has JetStream, or a program to run one is there.
pub(super) async fn nats(settings: &Settings) -> Outcome {
    let minimum = Version::new(&NATS_MINIMUM_VERSION);
    let Some(url) = &settings.nats.url else {
        let Some(path) = find_program(Path::new("nats-server")) else {
            return Outcome::Bad(format!("nats-server was not found: {INSTALL_NATS}"));
        };
        return match version_of(&path, "--version").await {
            Ok((Some(version), _)) if version >= minimum => {
                Outcome::Ok(format!("{version} ({}), run by `ytcaption up`", path.display()))
            }
            Ok((_, said)) => Outcome::Bad(format!("{said} is too old: {INSTALL_NATS}")),
            Err(error) => Outcome::Bad(format!("{error}; {INSTALL_NATS}")),
        };
    };
    let query = async {
        let options = ytcaption_workers::nats::with_credentials(url.expose_secret());
        let client = options.connect(url.expose_secret()).await.map_err(|error| error.to_string())?;
        let version = client.server_info().version;
        let jet_stream = async_nats::jetstream::new(client).query_account().await;
        jet_stream.map_err(|error| format!("JetStream is not available there ({error}); start it with -js"))?;
        Ok::<_, String>(version)
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, query).await {
        Ok(Ok(version)) if Version::find(&version).is_some_and(|version| version >= minimum) => {
            Outcome::Ok(format!("{version} with JetStream, from nats.url"))
        }
        Ok(Ok(version)) => Outcome::Bad(format!("the server is version {version}; {minimum} or newer is needed")),
        Ok(Err(error)) => Outcome::Bad(format!("nats.url (NATS_URL): {error}")),
        Err(_) => Outcome::Bad("the server at nats.url (NATS_URL) does not answer".to_owned()),
    }
}

/// Whether the storage can be used.
pub(super) async fn storage(settings: &Settings) -> Outcome {
    if let Some(directory) = settings.storage.directory() {
        return data_directory(directory);
    }
    let check = async {
        let store = ytcaption_blobstore::open(&settings.storage).await?;
        store.check().await
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, check).await {
        Ok(Ok(())) => Outcome::Ok("the bucket answers".to_owned()),
        Ok(Err(error)) => Outcome::Bad(error.to_string()),
        Err(_) => Outcome::Bad("the S3 service does not answer; check storage.endpoint".to_owned()),
    }
}

/// Whether there is a default model and it loads.
pub(super) async fn default_model(settings: &Settings) -> Outcome {
    let models = match model_cache(settings) {
        Ok(models) => models,
        Err(error) => return Outcome::Bad(error.to_string()),
    };
    let entry = models.catalogue().default_model().clone();
    match models.get(&entry.name).await {
        Ok(model) => {
            let languages = model.languages();
            let understood =
                if languages.len() <= 8 { languages.join(", ") } else { format!("{} languages", languages.len()) };
            Outcome::Ok(format!("{} (understands {understood}; {})", entry.name, entry.directory.display()))
        }
        Err(error) => Outcome::Bad(error.to_string()),
    }
}

/// Whether the other models are whole.
pub(super) async fn other_models(settings: &Settings) -> Outcome {
    let Ok(store) = cache_settings(settings) else {
        return Outcome::Note("none can be used without a default model".to_owned());
    };
    let read = tokio::task::spawn_blocking(move || {
        let default = store.catalogue.default_model().clone();
        let others = store.catalogue.models().into_iter().filter(|entry| *entry != default);
        others.partition::<Vec<_>, _>(|entry| entry.info(Checksums::Skip).is_ok())
    });
    let Ok((whole, broken)) = read.await else { return Outcome::Bad("reading the models broke off".to_owned()) };
    let names = |entries: Vec<ModelEntry>| entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
    let directory = settings.models.directory.display();
    if !broken.is_empty() {
        return Outcome::Note(format!("broken: {}; `ytcaption models verify` says how ({directory})", names(broken)));
    }
    if is_default_unclear(settings) {
        return Outcome::Note(format!("{}; set transcription.model to say which is the default", names(whole)));
    }
    Outcome::Ok(if whole.is_empty() {
        format!("none ({directory})")
    } else {
        format!("{} ({directory})", names(whole))
    })
}
