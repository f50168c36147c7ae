//! Where programs are, and which files they need to run.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Programs, libraries and what comes with them, owned by the operating system. Some exist only on some systems.
const SYSTEM: [&str; 8] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store"];

/// What libraries read: the list of libraries, certificates of authorities (not the private keys beside them), host names, the
/// time zone, the kinds of processors.
const CONFIGURATION: [&str; 27] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/var/lib/ca-certificates",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/localtime",
    "/etc/mime.types",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/sys/vm",
    "/sys/devices/system/cpu",
];

/// Paths from the environment, separated by colons, that a child inherits.
const SEARCH_PATHS: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "SSL_CERT_DIR"];

/// The program of this name on the PATH, or at this path if it has a slash. It is a file that can be executed.
pub fn find_program(name: &Path) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if name.components().count() > 1 {
        return std::path::absolute(name).ok().filter(is_program);
    }
    std::env::split_paths(&std::env::var_os("PATH")?).map(|directory| directory.join(name)).find(is_program)
}

/// Everything that a program at this path needs to read in order to run, and to run others that are on the PATH.
pub(crate) fn files_of(program: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = SYSTEM.iter().chain(&CONFIGURATION).map(PathBuf::from).collect();
    for variable in SEARCH_PATHS {
        let value = std::env::var_os(variable).unwrap_or_default();
        files.extend(std::env::split_paths(&value).filter(|path| path.is_absolute()));
    }
    files.extend(std::env::var_os("SSL_CERT_FILE").map(PathBuf::from));
    // Debian keeps a part of Python's library there.
    let in_etc = std::fs::read_dir("/etc").into_iter().flatten().flatten();
    files.extend(in_etc.filter(|entry| entry.file_name().to_string_lossy().starts_with("python3")).map(|e| e.path()));
    let mut next = Some(program.to_owned());
    while let Some(program) = next {
        files.extend(installation(&program));
        // A script's interpreter is a program, too.
        next = interpreter(&program).filter(|path| !files.contains(path));
    }
    files
}

/// The program and, where it is in a directory `bin`, what is installed with it: as it is called, and where links lead to. A
/// virtual environment of Python has its modules at the one place and the interpreter at the other.
fn installation(program: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in [Some(program.to_owned()), program.canonicalize().ok()].into_iter().flatten() {
        if let Some(bin) = path.parent().filter(|directory| directory.ends_with("bin")) {
            files.extend(["../lib", "../lib64", "../pyvenv.cfg"].map(|beside| bin.join(beside)));
            files.push(bin.to_owned());
        }
        files.push(path);
    }
    files
}

/// What the first line of a script names, also by way of `env`.
fn interpreter(script: &Path) -> Option<PathBuf> {
    /// Linux reads no more of it.
    const LINE_LIMIT: u64 = 256;
    let mut head = Vec::new();
    File::open(script).ok()?.take(LINE_LIMIT).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line).into_owned();
    let mut words = line.split_whitespace();
    let program = words.next()?;
    match words.find(|word| !word.starts_with('-')) {
        Some(name) if program.ends_with("/env") => find_program(Path::new(name)),
        _ => Some(PathBuf::from(program)),
    }
}
