//! What one event adds to the timeline, and the sentences that several kinds of events share.

use chrono::{DateTime, Utc};
use ytcaption_domain::job::{Failure, MediaSource, Priority, Task, TranscriptionOptions};

use super::wording::{duration, retry, without_full_stop};
use super::{EntryKind, ms_between};

/// Work that is tried until it succeeds: the download, or a chunk.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// Since when it waits for a worker.
    pub(super) queued_at: Option<DateTime<Utc>>,
    /// The attempt that has begun and whose end is not recorded: since when, and by which worker.
    running: Option<(DateTime<Utc>, String)>,
}

/// How an attempt began.
pub(super) struct Begun {
    /// How long it waited.
    waited_ms: Option<u64>,
    /// The worker of the previous attempt, if that has no recorded end.
    lost_worker: Option<String>,
}

impl Attempts {
    /// A worker begins an attempt.
    pub(super) fn begin(&mut self, at: DateTime<Utc>, worker: &str) -> Begun {
        let lost_worker = self.running.replace((at, worker.to_owned())).map(|(_, worker)| worker);
        Begun { waited_ms: self.queued_at.take().map(|since| ms_between(since, at)), lost_worker }
    }

    /// The attempt ends: how long it took. The next one, if there is one, waits from now on.
    pub(super) fn end(&mut self, at: DateTime<Utc>) -> Option<u64> {
        self.queued_at = Some(at);
        self.running.take().map(|(since, _)| ms_between(since, at))
    }
}

/// What one event adds to the timeline.
pub(super) struct Entry {
    pub(super) kind: EntryKind,
    pub(super) command: Option<&'static str>,
    pub(super) text: String,
    pub(super) attempt: Option<u32>,
    pub(super) chunk: Option<u32>,
    pub(super) waited_ms: Option<u64>,
    pub(super) took_ms: Option<u64>,
    /// Of several in a row only the last says something new.
    pub(super) replaces_same: bool,
}

impl Entry {
    pub(super) fn new(kind: EntryKind, command: &'static str, text: String) -> Self {
        Self {
            kind,
            command: Some(command),
            text,
            attempt: None,
            chunk: None,
            waited_ms: None,
            took_ms: None,
            replaces_same: false,
        }
    }

    /// An event that this program cannot read.
    pub(super) fn unknown(text: String) -> Self {
        Self { command: None, ..Self::new(EntryKind::Unknown, "", text) }
    }
}

/// What the client submitted.
pub(super) fn submitted(
    source: &MediaSource,
    transcription: &TranscriptionOptions,
    priority: Priority,
    webhook_host: Option<&str>,
) -> String {
    let source = match source {
        MediaSource::Url { url } => ytcaption_domain::shown_media_url(url.as_str()),
        MediaSource::Upload { file_name, bytes, .. } => format!("upload {file_name:?} of {bytes} bytes"),
    };
    let model = transcription.model.as_ref().map_or(String::new(), |model| format!(", model {model}"));
    let task = if transcription.task == Task::Translate { ", to be translated" } else { "" };
    let language = &transcription.language;
    let track = transcription.audio_track.map_or(String::new(), |number| format!(", audio track {number}"));
    let webhook = webhook_host.map_or(String::new(), |host| format!(", webhook at {host}"));
    format!("{source} submitted: language {language}{track}{task}, priority {priority}{model}{webhook}")
}

/// A worker began an attempt at `what`, `with` a model.
pub(super) fn begun(what: &str, attempt: u32, worker: &str, with: &str, begun: Begun, command: &'static str) -> Entry {
    let Begun { waited_ms, lost_worker } = begun;
    let waiting = waited_ms.map_or(String::new(), |ms| format!(" after waiting {}", duration(ms)));
    let lost =
        lost_worker.map_or(String::new(), |lost| format!("; the previous attempt, by {lost}, has no recorded end"));
    let text = format!("{what}, attempt {attempt}, begun by {worker}{with}{waiting}{lost}");
    Entry { attempt: Some(attempt), waited_ms, ..Entry::new(EntryKind::Begin, command, text) }
}

/// An attempt at `what` failed.
pub(super) fn failed(
    what: &str,
    attempt: u32,
    failure: &Failure,
    retry_in_ms: Option<u64>,
    took_ms: Option<u64>,
    command: &'static str,
) -> Entry {
    let (why, code, next) = (without_full_stop(&failure.message), &failure.code, retry(retry_in_ms));
    let text = format!("{what}, attempt {attempt}, failed{}: {why} ({code}); {next}", in_time(took_ms));
    Entry { attempt: Some(attempt), took_ms, ..Entry::new(EntryKind::Failure, command, text) }
}

/// How long it took, to be appended: ` in 2.4 s`.
pub(super) fn in_time(took_ms: Option<u64>) -> String {
    took_ms.map_or(String::new(), |ms| format!(" in {}", duration(ms)))
}
