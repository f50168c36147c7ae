//! The tree of settings. What each means, its default and what is allowed stand where its section is
//! read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ytcaption_blobstore::BlobSettings;

use super::faces::{self, Api, Metrics, Network};
use super::kind;
use super::models::{self, Models};
use super::process::{self, Log, Shutdown};
use super::reader::Reader;
use super::seal::{self, Seal};
use super::servers::{self, Database, Nats};
use super::stages::{self, Download, Transcription, Webhook};

/// All settings.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) data_dir: PathBuf,
    pub(crate) database: Database,
    pub(crate) nats: Nats,
    pub(crate) storage: BlobSettings,
    pub(crate) api: Api,
    pub(crate) network: Network,
    pub(crate) download: Download,
    pub(crate) transcription: Transcription,
    pub(crate) models: Models,
    pub(crate) webhook: Webhook,
    pub(crate) seal: Seal,
    pub(crate) metrics: Metrics,
    pub(crate) log: Log,
    pub(crate) shutdown: Shutdown,
}

/// Reads the whole tree.
pub(super) fn read(r: &mut Reader<'_>, variables: &BTreeMap<String, String>) -> Settings {
    let data_dir = r.value_shown_as(
        "data_dir",
        "Everything that `up` keeps: its Postgres, its nats-server, audio, uploads.\n\
         Default: $XDG_DATA_HOME/ytcaption, else ~/.local/share/ytcaption; for root /var/lib/ytcaption.",
        (default_data_dir(variables), "~/.local/share/ytcaption"),
        kind::path(),
    );
    Settings {
        database: servers::database(r),
        nats: servers::nats(r),
        storage: servers::storage(r, &data_dir),
        api: faces::api(r),
        network: faces::network(r),
        download: stages::download(r, &data_dir),
        transcription: stages::transcription(r, &data_dir),
        models: models::models(r, &data_dir),
        webhook: stages::webhook(r),
        seal: seal::seal(r, &data_dir),
        metrics: faces::metrics(r),
        log: process::log(r),
        shutdown: process::shutdown(r),
        data_dir,
    }
}

fn default_data_dir(variables: &BTreeMap<String, String>) -> PathBuf {
    let absolute = |name: &str| variables.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(base) = absolute("XDG_DATA_HOME") {
        base.join("ytcaption")
    } else if nix::unistd::geteuid().is_root() {
        // Postgres does not run as root, and the user it runs as instead cannot enter root's home.
        PathBuf::from("/var/lib/ytcaption")
    } else {
        absolute("HOME").unwrap_or_default().join(".local/share/ytcaption")
    }
}
