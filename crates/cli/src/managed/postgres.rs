//! A Postgres in a directory of its own, reachable only through a socket in a private directory.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::Signal;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::process::Command;
use url::Url;

use super::child::Server;
use super::program::{is_executable, search_path};
use super::user::RunAs;
use super::{ManagedError, directory_error};

/// Both the database and its owner.
const NAME: &str = "ytcaption";
/// The role of the services, which adds events and changes none.
const SERVICE: &str = "ytcaption_service";
/// A database that every cluster has, to ask and to create ours from.
const MAINTENANCE_DATABASE: &str = "postgres";
/// Its directory within the data directory.
pub(crate) const DIRECTORY: &str = "postgres";
/// Part of the socket's name; no TCP port is opened.
const PORT: u16 = 5432;
/// Longest path of a Unix socket on Linux, with its terminating zero.
const LONGEST_SOCKET_PATH: usize = 108;
/// Room for people and tools beside this process.
const SPARE_CONNECTIONS: u32 = 20;
/// Versions are kept side by side here on Debian and Ubuntu, off the PATH.
const DEBIAN_DIRECTORY: &str = "/usr/lib/postgresql";
/// Names the version of a cluster's files.
const VERSION_FILE: &str = "PG_VERSION";

/// A Postgres to be kept running.
#[derive(Debug)]
pub(crate) struct Postgres {
    programs: PathBuf,
    directory: PathBuf,
    socket_directory: PathBuf,
    run_as: RunAs,
    max_connections: u32,
}

impl Postgres {
    /// Finds the programs and prepares a cluster within `data_dir`, for a process with up to
    /// `connections` connections.
    ///
    /// # Errors
    /// They are not installed, do not fit the existing cluster, or the directory cannot be prepared.
    pub(crate) async fn prepare(data_dir: &Path, connections: u32) -> Result<Self, ManagedError> {
        let run_as = RunAs::choose()?;
        run_as.can_reach(data_dir)?;
        let directory = data_dir.join(DIRECTORY);
        run_as.private_directory(&directory)?;
        let socket_directory = socket_directory(&directory);
        run_as.private_directory(&socket_directory)?;
        let cluster = cluster(&directory);
        let existing = std::fs::read_to_string(cluster.join(VERSION_FILE)).ok();
        let programs = find_programs(existing.as_deref().map(str::trim))?;
        let server =
            Self { programs, directory, socket_directory, run_as, max_connections: connections + SPARE_CONNECTIONS };
        if existing.is_none() {
            server.create_cluster(&cluster).await?;
        }
        Ok(server)
    }

    /// The URL of the database as its owner.
    pub(crate) fn owner_url(&self) -> String {
        url_through(&self.socket_directory, NAME)
    }

    async fn create_cluster(&self, cluster: &Path) -> Result<(), ManagedError> {
        // Renamed when complete, so a cluster is whole or not there.
        let unfinished = self.directory.join("unfinished");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).map_err(directory_error(&unfinished))?;
        }
        let mut command = Command::new(self.programs.join("initdb"));
        command.arg("-D").arg(&unfinished).args([
            "-U",
            NAME,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--data-checksums",
            "--no-instructions",
        ]);
        command.current_dir(&self.directory).stdin(Stdio::null());
        self.run_as.apply(&mut command);
        let output = command.output().await.map_err(directory_error(&unfinished))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " | ");
            return Err(ManagedError::Unsuitable(format!("initdb cannot create a database: {complaint}")));
        }
        std::fs::rename(&unfinished, cluster).map_err(directory_error(cluster))
    }

    /// Creates the database within the running cluster, once.
    async fn ensure_database(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.connect().await?;
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(NAME)
            .fetch_one(&mut connection)
            .await?;
        if !exists {
            sqlx::query(&format!("CREATE DATABASE {NAME}")).execute(&mut connection).await?;
        }
        connection.close().await
    }

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_directory)
            .port(PORT)
            .username(NAME)
            .database(MAINTENANCE_DATABASE)
            .ssl_mode(PgSslMode::Disable)
            .disable_statement_logging()
            .connect()
            .await
    }
}

impl Server for Postgres {
    fn name(&self) -> &'static str {
        "Postgres"
    }

    fn directory(&self) -> &Path {
        &self.directory
    }

    fn pid_file(&self) -> PathBuf {
        cluster(&self.directory).join("postmaster.pid")
    }

    /// "Fast shutdown": open transactions are rolled back, everything is written.
    fn stop_signal(&self) -> Signal {
        Signal::SIGINT
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.programs.join("postgres"));
        command.arg("-D").arg(cluster(&self.directory));
        for setting in [
            "listen_addresses=".to_owned(),
            format!("unix_socket_directories={}", self.socket_directory.display()),
            format!("port={PORT}"),
            format!("max_connections={}", self.max_connections),
            "timezone=UTC".to_owned(),
        ] {
            command.args(["-c", &setting]);
        }
        command.current_dir(&self.directory);
        self.run_as.apply(&mut command);
        command
    }

    async fn is_ready(&mut self, _pid: u32) -> bool {
        match self.ensure_database().await {
            Ok(()) => true,
            Err(error) => {
                tracing::trace!(%error, "Postgres is not ready yet");
                false
            }
        }
    }

    fn url(&self) -> String {
        url_through(&self.socket_directory, SERVICE)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if !self.socket_directory.starts_with(&self.directory) {
            // Only when it is empty, so never under a server that still runs.
            let _ = std::fs::remove_dir(&self.socket_directory);
        }
    }
}

fn url_through(socket_directory: &Path, role: &str) -> String {
    let mut url = Url::parse(&format!("postgres://{role}@localhost:{PORT}/{NAME}")).expect("a constant URL");
    url.query_pairs_mut().append_pair("host", &socket_directory.to_string_lossy()).append_pair("sslmode", "disable");
    url.into()
}

fn cluster(directory: &Path) -> PathBuf {
    directory.join("data")
}

/// The directory of the socket: `directory`, or if that is too deep for a socket's name, in the
/// temporary directory under a name that follows from it.
fn socket_directory(directory: &Path) -> PathBuf {
    let beside = directory.join("socket");
    let socket = beside.join(format!(".s.PGSQL.{PORT}.lock"));
    if socket.as_os_str().len() < LONGEST_SOCKET_PATH {
        return beside;
    }
    let mut hasher = DefaultHasher::new();
    directory.hash(&mut hasher);
    std::env::temp_dir().join(format!("ytcaption-{:016x}", hasher.finish()))
}

/// The directory with the programs of the newest installed Postgres.
///
/// # Errors
/// There is none.
pub(crate) fn find_postgres() -> Result<PathBuf, ManagedError> {
    find_programs(None)
}

/// The directory with `initdb` and `postgres`: of version `wanted` if given, else the newest.
fn find_programs(wanted: Option<&str>) -> Result<PathBuf, ManagedError> {
    let has_both = |directory: &Path| ["initdb", "postgres"].iter().all(|name| is_executable(&directory.join(name)));
    let mut by_version: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN_DIRECTORY)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    by_version.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    if let Some(wanted) = wanted
        && let Some((_, directory)) =
            by_version.iter().find(|(version, directory)| version.to_string() == wanted && has_both(directory))
    {
        return Ok(directory.clone());
    }
    search_path().into_iter().chain(by_version.into_iter().map(|(_, directory)| directory)).find(|directory| has_both(directory)).ok_or(
        ManagedError::NotInstalled {
            program: "Postgres",
            hint: "install it (Debian: apt-get install postgresql), or set DATABASE_URL to a server that runs elsewhere",
        },
    )
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    #[test]
    fn a_deep_directory_gets_a_socket_elsewhere() {
        let shallow = Path::new("/srv/ytcaption/postgres");
        assert_eq!(socket_directory(shallow), shallow.join("socket"));
        let deep = PathBuf::from("/srv").join("x".repeat(90));
        assert!(socket_directory(&deep).starts_with(std::env::temp_dir()));
        assert_eq!(socket_directory(&deep), socket_directory(&deep));
    }

    #[test]
    fn the_url_leads_to_the_socket() {
        let options =
            PgConnectOptions::from_str(&url_through(Path::new("/srv/a b/socket"), SERVICE)).expect("a valid URL");
        assert_eq!(options.get_socket().map(PathBuf::as_path), Some(Path::new("/srv/a b/socket")));
        assert_eq!((options.get_username(), options.get_database()), (SERVICE, Some(NAME)));
    }
}
