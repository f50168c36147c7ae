//! The whole system, tried from outside: the program itself, with real Postgres, NATS, yt-dlp and ffmpeg.
//!
//! [`system::System`] starts `ytcaption up`; each module is named after the behaviour it proves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod backup;
mod bad_audio;
mod bad_input;
mod cancel;
mod caption_files;
mod client;
mod cluster;
mod collector;
mod command_line;
mod crash_roles;
mod crash_servers;
mod crash_up;
mod egress;
mod fairness;
mod held;
mod history;
mod limits;
mod line;
mod managed_servers;
mod models;
mod models_listed;
mod observability;
mod outage;
mod parked;
mod rebuild;
mod receiver;
mod redelivery;
mod relay_losses;
mod relay_stalled;
mod replay_stream;
mod roles_alone;
mod s3;
mod seal_lag;
mod shutdown;
mod site;
mod speech;
mod stored_audio;
mod stream;
mod submit_to_captions;
mod system;
mod tamper;
mod versions;
mod webhooks;
