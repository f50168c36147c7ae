//! The programs that this one runs on content of strangers (yt-dlp, ffmpeg, ffprobe): how all of them are started, sandboxed,
//! limited and ended.
//!
//! ```text
//! ChildCommand ──▶ a thread of its own ──Landlock, seccomp──▶ setpriv --pdeathsig KILL ──▶ the program ──▶ what it starts
//!      └─ clean environment, own process group           rlimits ─┘                  Lines, collect_tail: bounded reads
//! ```
//!
//! Such a program has a parser for every format and no reason to be trusted with one. It can open its own files and those
//! of the operating system's programs, can connect to at most one port, has bounded memory, and ends with its [`Child`] or
//! with this process, however that ends. See `docs/adr/0028-children-are-sandboxed.md`.

mod child;
mod command;
mod limits;
mod output;
mod programs;
mod sandbox;
mod system_calls;

pub use child::Child;
pub use command::ChildCommand;
pub use limits::Limits;
pub use output::{Lines, collect_tail, read_at_most};
pub use programs::find_program;
pub use sandbox::{Enforcement, enforcement};

#[cfg(test)]
mod tests;
