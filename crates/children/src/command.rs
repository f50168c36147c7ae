//! A program with its arguments, its rules and its limits.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::child::Child;
use crate::limits::Limits;
use crate::programs::{files_of, find_program};
use crate::sandbox::Rules;

/// Variables that a child inherits; all others, credentials above all, are removed.
const ENVIRONMENT: [&str; 6] = ["PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"];
/// The program of util-linux that has the kernel kill a program when the thread that started it ends.
const SETPRIV: &str = "setpriv";

/// How a child is started. Without further calls it can read the programs and libraries of the operating system and
/// nothing else, write nothing and connect to nothing.
#[derive(Debug)]
pub struct ChildCommand {
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    directory: Option<OsString>,
    takes_input: bool,
    rules: Rules,
    limits: Limits,
    first_cpu: Option<Duration>,
}

impl ChildCommand {
    /// The program of this name on the PATH, or at this path.
    pub fn new(program: impl Into<OsString>, limits: Limits) -> Self {
        let (arguments, variables, rules) = (Vec::new(), Vec::new(), Rules::default());
        Self {
            program: program.into(),
            arguments,
            variables,
            directory: None,
            takes_input: false,
            rules,
            limits,
            first_cpu: None,
        }
    }

    /// Adds an argument.
    pub fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets variables of the environment.
    pub fn envs(&mut self, variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>) -> &mut Self {
        let variables = variables.into_iter();
        self.variables.extend(variables.map(|(name, value)| (name.as_ref().to_owned(), value.as_ref().to_owned())));
        self
    }

    /// Lets it read this file, or everything in this directory.
    pub fn reads(&mut self, path: &Path) -> &mut Self {
        self.rules.read.push(path.to_owned());
        self
    }

    /// Lets it read and write this file, which must exist.
    pub fn writes(&mut self, file: &Path) -> &mut Self {
        self.rules.write.push(file.to_owned());
        self
    }

    /// Lets it do everything in this directory, which becomes its current, home and temporary directory.
    pub fn works_in(&mut self, directory: &Path) -> &mut Self {
        self.rules.write.push(directory.to_owned());
        self.directory = Some(directory.as_os_str().to_owned());
        self.envs([("HOME", directory), ("TMPDIR", directory)])
    }

    /// Gives it a standard input, which this process writes.
    pub fn takes_input(&mut self) -> &mut Self {
        self.takes_input = true;
        self
    }

    /// Gives it no more time on the processor than this until [`Child::allow_cpu`].
    pub fn first_cpu(&mut self, cpu: Duration) -> &mut Self {
        self.first_cpu = Some(cpu);
        self
    }

    /// Lets it open TCP connections to this port.
    pub fn connects_to(&mut self, port: u16) -> &mut Self {
        self.rules.port = Some(port);
        self
    }

    /// Starts it: without standard input unless it takes one, with pipes for what it prints.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is no such program; also what the system says if it cannot be started.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn spawn(&self) -> io::Result<Child> {
        let not_found = || io::Error::new(io::ErrorKind::NotFound, format!("{} was not found", self.program.display()));
        let program = find_program(Path::new(&self.program)).ok_or_else(not_found)?;
        let mut rules = self.rules.clone();
        rules.read.extend(files_of(&program));
        let mut command = match find_program(Path::new(SETPRIV)) {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL", "--"]).arg(&program);
                command
            }
            None => Command::new(&program),
        };
        command
            .args(&self.arguments)
            .env_clear()
            .envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(if self.takes_input { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal is for this program alone, which lets running work end.
            .process_group(0)
            .kill_on_drop(true);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        Child::start(command, rules, self.limits, self.first_cpu)
    }
}

/// Whether a child ends when this process is killed.
pub(crate) fn ends_with_parent() -> bool {
    find_program(Path::new(SETPRIV)).is_some()
}
