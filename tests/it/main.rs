//! The whole system, tested from outside: the program itself, with real Postgres, NATS, yt-dlp and ffmpeg.
//!
//! [`system::System`] starts `ytcaption up`; each module is named after the behaviour that it tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod backup;
mod behind_proxy;
mod cancel;
mod caption_files;
mod client;
mod cluster;
mod command_line;
mod crash_loop;
mod crash_roles;
mod crash_servers;
mod crash_up;
mod egress;
mod erased;
mod fairness;
mod history;
mod invalid_input;
mod jobs_command;
mod limits;
mod managed_servers;
mod media_site;
mod models;
mod models_listed;
mod nats_disk_full;
mod observability;
mod outage;
mod parked;
mod rebuild;
mod redelivery;
mod relay_losses;
mod relay_stalled;
mod replay_stream;
mod roles_alone;
mod s3;
mod seal_lag;
mod shutdown;
mod speech;
mod stalled_site;
mod stored_audio;
mod stream;
mod submit_to_captions;
mod system;
mod tamper;
mod tcp_proxy;
mod trace_collector;
mod unusual_audio;
mod versions;
mod webhook_receiver;
mod webhooks;
