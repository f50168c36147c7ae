//! Whether sound is missing, by the amount that was decoded.

use super::report::Report;

/// Formats in which samples follow one another without gaps.
const CONTINUOUS: [&str; 9] = ["flac", "wav", "w64", "aiff", "au", "ape", "tta", "tak", "wv"];
/// Formats that are nothing but frames.
const FRAMES: [&str; 7] = ["mp3", "aac", "loas", "ac3", "eac3", "dts", "truehd"];
/// Longer gaps are taken for errors of the times, and closed.
const MAX_GAP_MS: u64 = 30 * 60 * 1000;
/// In a transport stream the clock may be set anew at any time.
const MAX_GAP_OF_TRANSPORT_STREAM_MS: u64 = 10_000;
/// A file may end this much before its headers claim and still count as whole: encoders pad.
const TOLERATED_SHORTFALL_MS: u64 = 1_000;
/// Gaps of corrupt media of this length in all are worth a warning.
const TOLERATED_LOSS_MS: u64 = 300;
/// More packets than these that cannot be decoded are worth a warning; the first of a file often depend on what is not there.
const TOLERATED_PACKETS: u64 = 10;

/// What the times of a format mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timing {
    /// There are none but the number of samples: a gap shows that something is missing.
    Continuous,
    /// There are none: ffmpeg counts frames at the rate of the first, and so gets lost where files of different rates were
    /// joined. Gaps are never kept.
    Frames,
    /// As `Continuous`, but read to the end of the file whatever its header says, so that the last packet is incomplete.
    ReadToEnd,
    /// Each packet has its time, and there may be gaps.
    Packets,
    /// As in `Packets`, but the clock is set anew now and then, and incomplete packets are common where parts were joined.
    TransportStream,
}

impl Timing {
    /// `format` is ffmpeg's name of the container; `understated` says that its header announces too few samples.
    pub(super) fn from_format(format: &str, understated: bool) -> Self {
        match format {
            _ if understated => Self::ReadToEnd,
            "mpeg" | "mpegts" | "mpegtsraw" => Self::TransportStream,
            format if CONTINUOUS.contains(&format) => Self::Continuous,
            format if FRAMES.contains(&format) => Self::Frames,
            _ => Self::Packets,
        }
    }

    /// The longest gap that is kept as silence, in milliseconds.
    pub(super) fn max_gap_ms(self) -> u64 {
        match self {
            Self::Frames => 0,
            Self::TransportStream => MAX_GAP_OF_TRANSPORT_STREAM_MS,
            Self::Continuous | Self::ReadToEnd | Self::Packets => MAX_GAP_MS,
        }
    }
}

/// How much sound there was.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "the unit belongs to the name of a duration")]
pub(super) struct Counted {
    /// Milliseconds that came out, silence in gaps included.
    pub(super) duration_ms: u64,
    /// Milliseconds of that silence, after the first sound.
    pub(super) filled_ms: u64,
    /// Milliseconds that the headers promise.
    pub(super) promised_ms: Option<u64>,
}

impl Counted {
    /// What of the media is missing or corrupt; `None` if nothing is.
    /// `ends_early`: the file itself shows that its end is missing.
    pub(super) fn truncation(self, timing: Timing, report: &Report, ends_early: bool) -> Option<String> {
        if let Some(promised_ms) = self.promised_ms
            && promised_ms > self.duration_ms + TOLERATED_SHORTFALL_MS
        {
            let (promised, decoded) = (in_seconds(promised_ms), in_seconds(self.duration_ms));
            return Some(format!("the file promises {promised} of sound and holds {decoded}: its end seems cut off"));
        }
        let incomplete =
            report.incomplete > 0 && matches!(timing, Timing::Continuous | Timing::Frames | Timing::Packets);
        let corrupt = incomplete || report.has_errors() || timing == Timing::Continuous;
        if corrupt && self.filled_ms > TOLERATED_LOSS_MS {
            return Some(format!("{} of its sound are corrupt and became silence", in_seconds(self.filled_ms)));
        }
        if report.undecoded > TOLERATED_PACKETS {
            return Some(format!("{} pieces of its sound are corrupt and were left out", report.undecoded));
        }
        (incomplete || ends_early).then(|| "its last part is incomplete: its end seems cut off".to_owned())
    }
}

/// `12.3 s`.
fn in_seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}
