//! The caption file formats. Each has a file of its own with its [`CaptionFormat`], and a line in the list below.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CueStyle, Transcript, ass, json, lrc, srt, tsv, txt, verbose_json, vtt};

/// What is known of a format. Everything that depends on formats derives from it.
pub(super) struct CaptionFormat {
    /// Its name in requests.
    pub(super) name: &'static str,
    /// The extension of its files.
    pub(super) extension: &'static str,
    /// Its media type, for HTTP.
    pub(super) content_type: &'static str,
    /// Whether its files can show when each word is spoken.
    pub(super) highlights_words: bool,
    /// Writes a transcript; the style is for formats that consist of cues.
    pub(super) write: fn(&Transcript, &CueStyle) -> String,
}

macro_rules! formats {
    ($($(#[$doc:meta])* $variant:ident => $module:ident,)*) => {
        /// A caption file format.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = CaptionFormat)]
        pub enum Format {
            $($(#[$doc])* $variant,)*
        }

        impl Format {
            /// All formats, in the order in which they are offered.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            const fn definition(self) -> &'static CaptionFormat {
                match self {
                    $(Self::$variant => &$module::FORMAT,)*
                }
            }
        }
    };
}

formats! {
    /// The text alone, a line for each segment.
    Txt => txt,
    /// `SubRip`, which most players read.
    Srt => srt,
    /// `WebVTT`, which browsers read.
    Vtt => vtt,
    /// Everything that is known of each segment, as JSON.
    Json => json,
    /// A segment a line, with its times in milliseconds, as Whisper's own command line writes it.
    Tsv => tsv,
    /// `verbose_json` of `OpenAI`'s audio API.
    VerboseJson => verbose_json,
    /// Advanced `SubStation` Alpha, which editors and video tools read.
    Ass => ass,
    /// Lyrics, which music players read.
    Lrc => lrc,
}

/// Words cannot be highlighted as requested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HighlightError {
    /// The format cannot show when each word is spoken.
    #[error("`{0}` cannot highlight words: choose one of {names}", names = names(Format::highlights_words))]
    Format(Format),
    /// The transcript has no word times.
    #[error("the transcript has no word times: transcribe the media with `word_timestamps` to highlight words")]
    NoWords,
}

impl Format {
    /// Its name in requests.
    pub const fn name(self) -> &'static str {
        self.definition().name
    }

    /// The extension of its files.
    pub const fn extension(self) -> &'static str {
        self.definition().extension
    }

    /// Its media type, for HTTP.
    pub const fn content_type(self) -> &'static str {
        self.definition().content_type
    }

    /// Its media type without parameters, such as `text/vtt`.
    pub fn media_type(self) -> &'static str {
        self.content_type().split(';').next().unwrap_or_default()
    }

    /// The names of all formats for messages, such as `txt, srt`.
    pub fn names() -> String {
        names(|_| true)
    }

    /// The media types of all formats for messages, each once.
    pub fn media_types() -> String {
        let mut types: Vec<&str> = vec![];
        for media_type in Self::ALL.iter().map(|format| format.media_type()) {
            if !types.contains(&media_type) {
                types.push(media_type);
            }
        }
        types.join(", ")
    }

    /// Whether its files can show when each word is spoken.
    pub const fn highlights_words(self) -> bool {
        self.definition().highlights_words
    }

    /// Writes a transcript as a file of this format, which ends with a line break. `style` applies to the formats that
    /// consist of cues: SRT, VTT, ASS and LRC.
    ///
    /// # Errors
    /// Words are to be highlighted, and the format cannot do it or the transcript has no word times.
    pub fn write(self, transcript: &Transcript, style: &CueStyle) -> Result<String, HighlightError> {
        if style.highlight_words {
            if !self.highlights_words() {
                return Err(HighlightError::Format(self));
            }
            if transcript.segments.iter().any(|segment| segment.words.is_empty()) {
                return Err(HighlightError::NoWords);
            }
        }
        Ok((self.definition().write)(transcript, style))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that is not the name of a caption format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no caption format `{name}`: choose one of {names}", names = names(|_| true))]
pub struct UnknownFormat {
    /// The requested name.
    pub name: String,
}

fn names(filter: impl Fn(Format) -> bool) -> String {
    let names: Vec<&str> = Format::ALL.iter().filter(|format| filter(**format)).map(|format| format.name()).collect();
    names.join(", ")
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.iter().find(|format| format.name().eq_ignore_ascii_case(name.trim()));
        named.copied().ok_or_else(|| UnknownFormat { name: name.to_owned() })
    }
}
