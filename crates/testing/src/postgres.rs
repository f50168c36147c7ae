//! One Postgres for all tests of a process, a database for each.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::{Uid, User};

use crate::process::{free_port, start_leashed, wait_until};

/// Database owner; the server trusts every connection, and only this machine can connect.
const OWNER: &str = "ytcaption";
/// Where Debian keeps the programs of each version.
const DEBIAN_DIRECTORY: &str = "/usr/lib/postgresql";
/// Connections for all tests of a process at once.
const MAX_CONNECTIONS: u32 = 400;

/// What is needed of Postgres, all from one directory.
const PROGRAMS: [&str; 4] = ["initdb", "postgres", "pg_isready", "createdb"];

/// A running Postgres.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    programs: PathBuf,
    databases: AtomicU32,
    /// Holds the pipe whose end stops the server.
    _leash: Child,
}

impl Postgres {
    /// The server that all tests of this process share; does not flush to disk, for speed.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::start("off"))
    }

    /// Starts a server; `fsync` is `on` or `off`.
    ///
    /// # Panics
    /// Postgres is not installed or does not start.
    pub fn start(fsync: &str) -> Self {
        let programs = find_programs();
        let directory =
            tempfile::Builder::new().prefix("ytcaption-pg-").tempdir().expect("a temporary directory").keep();
        let run_as = hand_over(&directory);
        let data = directory.join("data");
        let initdb = format!(
            "{run_as}{}/initdb -D {} -U {OWNER} -A trust -E UTF8 --locale=C --no-sync",
            programs.display(),
            data.display()
        );
        let created = Command::new("sh").args(["-c", &initdb]).current_dir(&directory).output().expect("initdb runs");
        assert!(created.status.success(), "initdb: {}", String::from_utf8_lossy(&created.stderr));
        let port = free_port();
        let server = format!(
            "{run_as}{}/postgres -D {} -p {port} -k {} -c listen_addresses=127.0.0.1 -c fsync={fsync} \
             -c max_connections={MAX_CONNECTIONS} -c max_prepared_transactions=4",
            programs.display(),
            data.display(),
            directory.display()
        );
        let leash = start_leashed(&server, "INT", &directory);
        let ready = programs.join("pg_isready");
        wait_until("Postgres", &directory, || {
            Command::new(&ready)
                .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
                .status()
                .is_ok_and(|status| status.success())
        });
        Self { port, programs, databases: AtomicU32::new(0), _leash: leash }
    }

    /// Creates an empty database and returns its URL.
    ///
    /// # Panics
    /// The server refuses.
    pub fn new_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let created = Command::new(self.programs.join("createdb"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", OWNER, &name])
            .output()
            .expect("createdb runs");
        assert!(created.status.success(), "createdb: {}", String::from_utf8_lossy(&created.stderr));
        format!("postgres://{OWNER}@127.0.0.1:{}/{name}", self.port)
    }
}

/// Postgres refuses to run as root: gives the directory to another user and returns the words that run a command as him.
fn hand_over(directory: &Path) -> String {
    if !Uid::effective().is_root() {
        return String::new();
    }
    let user = ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| User::from_name(name).ok().flatten())
        .expect("a user `postgres` or `nobody`");
    std::os::unix::fs::chown(directory, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
        .expect("root may give directories away");
    format!("setpriv --reuid={} --regid={} --clear-groups ", user.uid, user.gid)
}

fn find_programs() -> PathBuf {
    let on_path = std::env::var_os("PATH").map_or_else(Vec::new, |path| std::env::split_paths(&path).collect());
    let debian =
        std::fs::read_dir(DEBIAN_DIRECTORY).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    on_path
        .into_iter()
        .chain(debian)
        .find(|directory| PROGRAMS.iter().all(|program| directory.join(program).exists()))
        .expect("Postgres is installed (Debian: apt-get install postgresql)")
}
