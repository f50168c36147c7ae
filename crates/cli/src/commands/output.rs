//! Standard output of commands that may print much.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{BufWriter, ErrorKind, Stdout, Write};
use std::ops::RangeInclusive;
use std::process::ExitCode;

use serde::Serialize;
use ytcaption_domain::text::is_control;

/// Standard output, line by line.
pub(super) struct Output(BufWriter<Stdout>);

impl Output {
    pub(super) fn new() -> Self {
        Self(BufWriter::new(std::io::stdout()))
    }

    /// Prints one line, or several. What would control the terminal is printed as JSON writes it.
    pub(super) fn line(&mut self, line: &str) -> std::io::Result<()> {
        writeln!(self.0, "{}", printable(line))
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

/// The text with `\u001b` in place of an escape, and so for all control and direction characters but the end of a line. Within
/// JSON that is the same text.
fn printable(text: &str) -> Cow<'_, str> {
    let controls = |c: char| (is_control(c) && c != '\n') || DIRECTION.iter().any(|range| range.contains(&c));
    if !text.contains(controls) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        if controls(c) {
            // A string takes everything.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
        escaped
    });
    Cow::Owned(escaped)
}

/// Characters that change the order in which text is shown.
const DIRECTION: [RangeInclusive<char>; 3] =
    ['\u{200e}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2066}'..='\u{2069}'];

/// How a command ends that printed much. A reader that has gone away, as `head` does, has what it wanted.
pub(super) fn end(outcome: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
    match outcome {
        Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe) => {
            Ok(ExitCode::SUCCESS)
        }
        outcome => outcome.map(|()| ExitCode::SUCCESS),
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn a_text_cannot_control_the_terminal() {
        assert_eq!(printable("Título\nof 2 lines"), "Título\nof 2 lines");
        assert_eq!(printable("\u{1b}[2J\u{9b}2J\r\u{202e}txt"), "\\u001b[2J\\u009b2J\\u000d\\u202etxt");
        let json = serde_json::json!({ "title": "a\u{9b}b\u{1b}" });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printable(&json.to_string())).ok(), Some(json));
    }
}
