//! The whole system, tried from outside: the program itself, with real Postgres, NATS, yt-dlp and ffmpeg.
//!
//! [`system::System`] starts `ytcaption up`; each module is named after the behaviour it proves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command_line;
mod managed_servers;
mod system;
