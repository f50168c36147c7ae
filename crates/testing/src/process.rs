//! A server that never outlives the test process.

use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to come up.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Interval between checks whether it is up.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// Runs a command line until this process closes the pipe it holds, by `Drop` or by dying; then sends the server
/// `signal`, waits for it, and removes its directory.
pub(crate) fn start_leashed(command_line: &str, signal: &str, directory: &Path) -> Child {
    let script = format!(
        "{command_line} >'{directory}/log' 2>&1 & server=$!; read _; kill -{signal} $server; wait $server; rm -rf '{directory}'",
        directory = directory.display()
    );
    Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell is installed")
}

/// Waits until the server is up; shows its log if it does not come.
pub(crate) fn wait_until(name: &str, directory: &Path, is_up: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_up() {
        if started.elapsed() > START_LIMIT {
            let mut log = String::new();
            // Without a log the message below still says what did not start.
            let _ = std::fs::File::open(directory.join("log")).and_then(|mut file| file.read_to_string(&mut log));
            panic!("{name} does not start within {START_LIMIT:?}; its log: {log}");
        }
        std::thread::sleep(CHECK_INTERVAL);
    }
}

/// A TCP port on loopback that is free.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("loopback has a free port").port()
}
