//! The stages a recording passes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ytcaption_workers::notify::WebhookSettings;

use super::kind::{self, GIBIBYTE, KIBIBYTE};
use super::reader::Reader;
use super::secret::Secret;

/// Temporary files of the workers, within the data folder; emptied when `up` starts.
pub(crate) const WORK_FOLDER: &str = "work";
const HOUR_SECONDS: u64 = 3600;

#[derive(Debug, Clone)]
pub(crate) struct Download {
    pub(crate) concurrency: usize,
    pub(crate) yt_dlp: PathBuf,
    pub(crate) work_dir: PathBuf,
    pub(crate) timeout: Duration,
    pub(crate) max_bytes: u64,
    pub(crate) max_duration: Duration,
}

#[derive(Debug, Clone)]
pub(crate) struct Transcription {
    /// None: looked for where models usually lie, see [`super::catalogue`].
    pub(crate) model: Option<PathBuf>,
    /// 0: chosen for the machine.
    pub(crate) threads: usize,
    /// 0: chosen for the machine.
    pub(crate) concurrency: usize,
    pub(crate) beam_size: usize,
    pub(crate) cache_dir: PathBuf,
    pub(crate) cache_bytes: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    pub(crate) secret: Option<Secret>,
    pub(crate) timeout: Duration,
    pub(crate) concurrency: usize,
    /// Pauses between attempts.
    pub(crate) schedule: Vec<Duration>,
}

pub(super) fn download(r: &mut Reader<'_>, data_dir: &Path) -> Download {
    r.section("download", "Fetching recordings with yt-dlp and turning them into audio with ffmpeg.");
    Download {
        concurrency: r.value(
            "download.concurrency",
            "How many recordings one process fetches at a time.",
            2,
            kind::number(1..=64),
        ),
        yt_dlp: r.value(
            "download.yt_dlp",
            "The program, on the PATH or with its folder.",
            "yt-dlp".into(),
            kind::path(),
        ),
        work_dir: r
            .optional(
                "download.work_dir",
                "Recordings lie here while they are worked on. Default: `work` in the data folder.",
                "/var/tmp/ytcaption",
                kind::path(),
            )
            .unwrap_or_else(|| data_dir.join(WORK_FOLDER)),
        timeout: Duration::from_secs(r.value(
            "download.timeout_seconds",
            "Longest time one attempt may take.",
            HOUR_SECONDS / 2,
            kind::seconds(10..=24 * HOUR_SECONDS),
        )),
        max_bytes: r.value(
            "download.max_bytes",
            "Largest recording that is fetched, in bytes.",
            2 * GIBIBYTE,
            kind::bytes(KIBIBYTE..=1024 * GIBIBYTE),
        ),
        max_duration: Duration::from_secs(r.value(
            "download.max_duration_seconds",
            "Longest recording that is accepted.",
            12 * HOUR_SECONDS,
            kind::seconds(1..=48 * HOUR_SECONDS),
        )),
    }
}

pub(super) fn transcription(r: &mut Reader<'_>, data_dir: &Path) -> Transcription {
    r.section("transcription", "Turning audio into text with a Whisper model in CTranslate2 format.");
    Transcription {
        model: r.optional(
            "transcription.model",
            "The model for whoever names none: the name of one in models.folder, or a folder of its own.\n\
             Default: the first in models.folder, else `model` in the data folder, else the demo model of a checkout.",
            "faster-whisper-small",
            kind::path(),
        ),
        threads: r.value(
            "transcription.threads",
            "Threads of one replica of a model. 0: one, or more where memory allows fewer replicas than cores.",
            0,
            kind::number(0..=256),
        ),
        concurrency: r.value(
            "transcription.concurrency",
            "How many chunks one process transcribes at a time, and how many replicas of a model it loads.\n\
             0: as many as cores (divided by threads) and memory allow.",
            0,
            kind::number(0..=64),
        ),
        beam_size: r.value(
            "transcription.beam_size",
            "Hypotheses followed at a time; 1 is fastest, 5 hears best.",
            5,
            kind::number(1..=20),
        ),
        cache_dir: r
            .optional(
                "transcription.cache_dir",
                "Audio is kept here for the chunks that follow. Default: `work` in the data folder.",
                "/var/tmp/ytcaption",
                kind::path(),
            )
            .unwrap_or_else(|| data_dir.join(WORK_FOLDER)),
        cache_bytes: r.value(
            "transcription.cache_bytes",
            "At most so much audio is kept, in bytes, beside what is being transcribed.",
            GIBIBYTE,
            kind::bytes(0..=1024 * GIBIBYTE),
        ),
    }
}

pub(super) fn webhook(r: &mut Reader<'_>) -> Webhook {
    r.section("webhook", "Telling others that a job has ended (Standard Webhooks).");
    Webhook {
        secret: r.optional(
            "webhook.secret",
            "Signs every message: 24 to 64 bytes in base64, as `openssl rand -base64 32` prints them.\n\
             Default: `up` makes one and keeps it as webhook-secret in the data folder.",
            "keep it out of files: YTCAPTION_WEBHOOK__SECRET",
            kind::secret("24 to 64 bytes in base64 (`whsec_` may stand before them)", is_webhook_secret),
        ),
        timeout: Duration::from_secs(r.value(
            "webhook.timeout_seconds",
            "Longest wait for a receiver's answer.",
            15,
            kind::seconds(1..=120),
        )),
        concurrency: r.value(
            "webhook.concurrency",
            "How many receivers one process tells at a time.",
            16,
            kind::number(1..=1000),
        ),
        schedule: r
            .value(
                "webhook.retry_seconds",
                "Pauses between attempts; after one failure more than there are pauses, a message is given up.",
                WebhookSettings::SCHEDULE.map(|pause| pause.as_secs()).to_vec(),
                kind::list(kind::seconds(1..=7 * 24 * HOUR_SECONDS)),
            )
            .into_iter()
            .map(Duration::from_secs)
            .collect(),
    }
}

/// Base64 of 24 to 64 bytes has 32 to 88 digits.
fn is_webhook_secret(text: &str) -> bool {
    let digits = text.strip_prefix("whsec_").unwrap_or(text);
    (32..=88).contains(&digits.len())
        && digits.len().is_multiple_of(4)
        && digits.trim_end_matches('=').chars().all(|c| c.is_ascii_alphanumeric() || "+/".contains(c))
}
