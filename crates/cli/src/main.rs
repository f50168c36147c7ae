//! The one program of YTCaption: runs the whole system or one role of it, and talks to it.

mod announce;
mod commands;
mod logging;
mod managed;
mod owner;
mod probes;
mod roles;
mod running;
mod seal_key;
mod servers;
mod settings;
mod signals;
mod webhook_secret;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = commands::Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("ytcaption: the system gives no threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(commands::run(arguments)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ytcaption: {error:#}");
            ExitCode::FAILURE
        }
    }
}
