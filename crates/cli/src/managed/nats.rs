//! A nats-server with JetStream in a directory of its own.

use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::process::Command;
use uuid::Uuid;

use super::child::Server;
use super::program::{Version, find_program, version_of};
use super::user::RunAs;
use super::{ManagedError, directory_error};

/// Consumers with several filters and their metadata exist from this version on.
pub(crate) const MINIMUM_VERSION: [u32; 2] = [2, 10];
/// The same file that a hand-started server uses.
const CONFIGURATION: &str = include_str!("../../../../nats/nats-server.conf");
const USER: &str = "ytcaption";
const CONFIGURATION_FILE: &str = "nats-server.conf";
const PID_FILE: &str = "nats-server.pid";
const STORE_DIRECTORY: &str = "store";
/// Any free port.
const FREE: i32 = -1;
/// The first line that a server sends on a new connection.
const GREETING: &[u8] = b"INFO ";

/// A nats-server to be kept running.
#[derive(Debug)]
pub(crate) struct NatsServer {
    program: PathBuf,
    directory: PathBuf,
    run_as: RunAs,
    password: String,
    /// Chosen by the server at its first start, kept from then on.
    port: Option<u16>,
}

impl NatsServer {
    /// Finds the program and prepares its directory within `data_dir`.
    ///
    /// # Errors
    /// It is not installed, is too old, or the directory cannot be prepared.
    pub(crate) async fn prepare(data_dir: &Path) -> Result<Self, ManagedError> {
        let program = find_program(Path::new("nats-server")).ok_or(ManagedError::NotInstalled {
            program: "nats-server",
            hint: "install version 2.10 or newer, or set NATS_URL to a server that runs elsewhere",
        })?;
        let (version, _) = version_of(&program, "--version").await.map_err(ManagedError::Unsuitable)?;
        let minimum = Version::new(&MINIMUM_VERSION);
        if version.as_ref().is_none_or(|version| *version < minimum) {
            return Err(ManagedError::Unsuitable(format!(
                "{} is version {}, but {minimum} or newer is needed; put a newer one on the PATH",
                program.display(),
                version.map_or_else(|| "unknown".to_owned(), |version| version.to_string())
            )));
        }
        let run_as = RunAs::choose()?;
        run_as.can_reach(data_dir)?;
        let directory = data_dir.join("nats");
        run_as.private_directory(&directory)?;
        // Others on this machine can reach the port, but do not know the password.
        let password = Uuid::new_v4().simple().to_string();
        let server = Self { program, directory, run_as, password, port: None };
        let file = server.directory.join(CONFIGURATION_FILE);
        let access = format!("authorization {{ user: \"{USER}\", password: \"{}\" }}\n", server.password);
        std::fs::write(&file, format!("{CONFIGURATION}\n{access}"))
            .and_then(|()| server.run_as.own(&file))
            .map_err(directory_error(&file))?;
        Ok(server)
    }

    fn ports_file(&self, pid: u32) -> PathBuf {
        let program = self.program.file_name().unwrap_or_default().to_string_lossy();
        self.directory.join(format!("{program}_{pid}.ports"))
    }

    /// The port the server has chosen.
    fn chosen_port(&self, pid: u32) -> Option<u16> {
        let text = std::fs::read_to_string(self.ports_file(pid)).ok()?;
        let ports: serde_json::Value = serde_json::from_str(&text).ok()?;
        url::Url::parse(ports["nats"][0].as_str()?).ok()?.port()
    }
}

impl Server for NatsServer {
    fn name(&self) -> &'static str {
        "nats-server"
    }

    fn directory(&self) -> &Path {
        &self.directory
    }

    fn pid_file(&self) -> PathBuf {
        self.directory.join(PID_FILE)
    }

    fn stop_signal(&self) -> Signal {
        Signal::SIGTERM
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let path = |name: &str| self.directory.join(name);
        let port = self.port.map_or_else(|| FREE.to_string(), |port| port.to_string());
        command.arg("--config").arg(path(CONFIGURATION_FILE));
        command.args(["--addr", "127.0.0.1", "--port", &port, "--http_port", &FREE.to_string()]);
        command.arg("--store_dir").arg(path(STORE_DIRECTORY));
        command.arg("--pid").arg(self.pid_file());
        command.arg("--ports_file_dir").arg(&self.directory);
        command.current_dir(&self.directory);
        self.run_as.apply(&mut command);
        command
    }

    async fn is_ready(&mut self, pid: u32) -> bool {
        let Some(port) = self.chosen_port(pid) else { return false };
        let greets = async {
            let mut greeting = [0; GREETING.len()];
            let mut connection = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
            connection.read_exact(&mut greeting).await.ok()?;
            (greeting == GREETING).then_some(())
        };
        let ready = greets.await.is_some();
        if ready {
            self.port = Some(port);
        }
        ready
    }

    fn url(&self) -> String {
        format!("nats://{USER}:{}@127.0.0.1:{}", self.password, self.port.unwrap_or_default())
    }
}
