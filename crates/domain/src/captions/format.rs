//! The caption file formats there are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A caption file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The text alone, a line for each segment.
    Txt,
    /// `SubRip`, what most players take.
    Srt,
    /// `WebVTT`, what browsers take.
    Vtt,
    /// Everything that is known, as JSON.
    Json,
}

impl Format {
    /// All formats, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Txt, Self::Srt, Self::Vtt, Self::Json];

    /// The name in requests, which is the file extension too.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Txt => "txt",
            Self::Srt => "srt",
            Self::Vtt => "vtt",
            Self::Json => "json",
        }
    }

    /// The media type for HTTP.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Txt => "text/plain; charset=utf-8",
            Self::Srt => "application/x-subrip; charset=utf-8",
            Self::Vtt => "text/vtt; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
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
    Format::ALL.map(Format::extension).join(", ")
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.extension().eq_ignore_ascii_case(name.trim()))
            .ok_or_else(|| UnknownFormat { asked: name.to_owned() })
    }
}
