//! The caption file formats there are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A caption file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The text alone, a line for each segment.
    Txt,
    /// `SubRip`, what most players take.
    Srt,
    /// `WebVTT`, what browsers take.
    Vtt,
    /// Everything that is known, as JSON.
    Json,
    /// A segment a line, with its times in milliseconds, as Whisper's own command line writes it.
    Tsv,
    /// What `OpenAI`'s audio API calls `verbose_json`.
    VerboseJson,
    /// Advanced `SubStation` Alpha, what editors and video tools take.
    Ass,
    /// Lyrics, what music players take.
    Lrc,
}

impl Format {
    /// All formats, in the order in which they are offered.
    pub const ALL: [Self; 8] =
        [Self::Txt, Self::Srt, Self::Vtt, Self::Json, Self::Tsv, Self::VerboseJson, Self::Ass, Self::Lrc];

    /// The name in requests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Txt => "txt",
            Self::Srt => "srt",
            Self::Vtt => "vtt",
            Self::Json => "json",
            Self::Tsv => "tsv",
            Self::VerboseJson => "verbose_json",
            Self::Ass => "ass",
            Self::Lrc => "lrc",
        }
    }

    /// The file extension.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::VerboseJson => "json",
            _ => self.name(),
        }
    }

    /// The media type for HTTP.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Txt => "text/plain; charset=utf-8",
            Self::Srt => "application/x-subrip; charset=utf-8",
            Self::Vtt => "text/vtt; charset=utf-8",
            Self::Json | Self::VerboseJson => "application/json",
            Self::Tsv => "text/tab-separated-values; charset=utf-8",
            Self::Ass => "text/x-ssa; charset=utf-8",
            Self::Lrc => "application/x-lrc; charset=utf-8",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A format was asked for that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no caption format `{asked}`: choose one of {}", names())]
pub struct UnknownFormat {
    /// What was asked for.
    pub asked: String,
}

fn names() -> String {
    Format::ALL.map(Format::name).join(", ")
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.name().eq_ignore_ascii_case(name.trim()))
            .ok_or_else(|| UnknownFormat { asked: name.to_owned() })
    }
}
