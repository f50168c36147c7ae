//! Standard output of commands that may print much.

use std::io::{BufWriter, ErrorKind, Stdout, Write};
use std::process::ExitCode;

use serde::Serialize;

/// Standard output, line by line.
pub(super) struct Output(BufWriter<Stdout>);

impl Output {
    pub(super) fn new() -> Self {
        Self(BufWriter::new(std::io::stdout()))
    }

    /// Prints one line.
    pub(super) fn line(&mut self, line: &str) -> std::io::Result<()> {
        writeln!(self.0, "{line}")
    }

    /// Prints a document as indented JSON.
    pub(super) fn json(&mut self, document: &impl Serialize) -> anyhow::Result<()> {
        Ok(self.line(&serde_json::to_string_pretty(document)?)?)
    }

    /// Lets everything be seen that was printed so far.
    pub(super) fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// How a command ends that printed much. A reader that has gone away, as `head` does, has what it wanted.
pub(super) fn end(outcome: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
    match outcome {
        Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe) => {
            Ok(ExitCode::SUCCESS)
        }
        outcome => outcome.map(|()| ExitCode::SUCCESS),
    }
}
