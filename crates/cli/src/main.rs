//! The one program of YTCaption: runs the whole system or one role of it, and talks to it.

mod commands;
mod data_key_file;
mod key_file;
mod managed;
mod master_key;
mod probes;
mod roles;
mod running;
mod servers;
mod settings;
mod signing_key;
mod webhook_secret;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = commands::Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("ytcaption: no threads can be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(commands::run(arguments)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ytcaption: {}", describe(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes. Many of our errors contain the text of their cause; it is not repeated.
fn describe(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |text, cause| match cause.to_string() {
        cause if text.is_empty() => cause,
        cause if text.contains(&cause) => text,
        cause => format!("{text}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::describe;

    #[test]
    fn a_cause_is_shown_once() {
        let error =
            anyhow!("is a directory").context("cannot read /tmp: is a directory").context("nothing was transcribed");
        assert_eq!(describe(&error), "nothing was transcribed: cannot read /tmp: is a directory");
    }
}
