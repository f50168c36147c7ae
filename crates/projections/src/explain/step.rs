//! One step of the story: its kind, its sentence, and how long it waited and took.

use chrono::{DateTime, Utc};
use ytcaption_domain::job::{Failure, MediaSource, Priority, Task, TranscriptionOptions};
use ytcaption_eventstore::DecodeError;

use super::words::{duration, then, unended};
use super::{Kind, ms_between};

/// A piece of work that is tried until it succeeds: the download, a chunk, or telling the webhook.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Since when it waits for somebody to begin.
    pub(super) waits_since: Option<DateTime<Utc>>,
    /// The attempt that has begun and of whose end nothing is known: since when, and by whom.
    running: Option<(DateTime<Utc>, String)>,
}

impl Work {
    /// An attempt begins: how long it had to wait, and the worker that was not heard of again.
    pub(super) fn begin(&mut self, at: DateTime<Utc>, worker: &str) -> (Option<u64>, Option<String>) {
        let lost = self.running.replace((at, worker.to_owned())).map(|(_, worker)| worker);
        (self.waits_since.take().map(|since| ms_between(since, at)), lost)
    }

    /// The attempt ends: how long it took. What comes after it waits from now on.
    pub(super) fn end(&mut self, at: DateTime<Utc>) -> Option<u64> {
        self.waits_since = Some(at);
        self.running.take().map(|(since, _)| ms_between(since, at))
    }
}

/// What one event adds to the story.
pub(super) struct Step {
    pub(super) kind: Kind,
    pub(super) command: Option<&'static str>,
    pub(super) text: String,
    pub(super) attempt: Option<u32>,
    pub(super) chunk: Option<u32>,
    pub(super) waited_ms: Option<u64>,
    pub(super) took_ms: Option<u64>,
}

impl Step {
    pub(super) fn new(kind: Kind, command: &'static str, text: String) -> Self {
        Self { kind, command: Some(command), text, attempt: None, chunk: None, waited_ms: None, took_ms: None }
    }

    /// What cannot be said of an event.
    pub(super) fn unasked(text: String) -> Self {
        Self { command: None, ..Self::new(Kind::Unknown, "", text) }
    }
}

/// What was asked for.
pub(super) fn submitted(
    source: &MediaSource,
    transcription: &TranscriptionOptions,
    priority: Priority,
    webhook_host: Option<&str>,
) -> String {
    let source = said(source);
    let model = transcription.model.as_ref().map_or(String::new(), |model| format!(", model {model}"));
    let task = if transcription.task == Task::Translate { ", to be translated" } else { "" };
    let language = &transcription.language;
    let webhook = webhook_host.map_or(String::new(), |host| format!(", webhook at {host}"));
    format!("{source} submitted: language {language}{task}, priority {priority}{model}{webhook}")
}

fn said(source: &MediaSource) -> String {
    match source {
        MediaSource::Url { url } => url.to_string(),
        MediaSource::Upload { file_name, bytes, .. } => format!("upload {file_name:?} of {bytes} bytes"),
    }
}

pub(super) fn begun(
    what: &str,
    attempt: u32,
    worker: &str,
    with: &str,
    waited: Option<u64>,
    lost: Option<String>,
    command: &'static str,
) -> Step {
    let waiting = waited.map_or(String::new(), |ms| format!(" after waiting {}", duration(ms)));
    let lost = lost.map_or(String::new(), |lost| format!("; nothing more was heard of the attempt before, by {lost}"));
    let text = format!("{what}, attempt {attempt}, begun by {worker}{with}{waiting}{lost}");
    Step { attempt: Some(attempt), waited_ms: waited, ..Step::new(Kind::Begin, command, text) }
}

pub(super) fn failed(
    what: &str,
    attempt: u32,
    failure: &Failure,
    retry_in_ms: Option<u64>,
    took: Option<u64>,
    command: &'static str,
) -> Step {
    let (why, code, next) = (unended(&failure.message), &failure.code, then(retry_in_ms));
    let text = format!("{what}, attempt {attempt}, failed{}: {why} ({code}); {next}", in_time(took));
    Step { attempt: Some(attempt), took_ms: took, ..Step::new(Kind::Failure, command, text) }
}

pub(super) fn in_time(took: Option<u64>) -> String {
    took.map_or(String::new(), |ms| format!(" in {}", duration(ms)))
}

pub(super) fn unreadable(error: &DecodeError) -> Step {
    Step::unasked(format!(
        "{} version {} cannot be read: {}",
        error.event.event_type, error.event.event_version, error.source
    ))
}
