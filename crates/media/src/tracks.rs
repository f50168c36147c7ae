//! Which of several audio tracks is listened to.

use isolang::Language;

/// An audio track, as the headers describe it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AudioTrack {
    /// Codec under ffmpeg's name, such as `aac`.
    pub codec: Option<String>,
    /// ffmpeg's name of its channels' places, such as `5.1(side)`; `None` where the file does not say.
    pub layout: Option<String>,
    /// Language as the file names it: mostly ISO 639-2, such as `eng`.
    pub language: Option<String>,
    /// Whether the file marks it as the one to play.
    pub is_default: bool,
    /// Whether it is a commentary, or describes the picture.
    pub is_commentary: bool,
    /// When it ends according to the headers, in milliseconds from the start of the file; `None` where they lack it.
    pub end_ms: Option<u64>,
}

/// ISO 639-2/B codes that differ from those of ISO 639-3.
const BIBLIOGRAPHIC: [(&str, &str); 20] = [
    ("alb", "sqi"),
    ("arm", "hye"),
    ("baq", "eus"),
    ("bur", "mya"),
    ("chi", "zho"),
    ("cze", "ces"),
    ("dut", "nld"),
    ("fre", "fra"),
    ("geo", "kat"),
    ("ger", "deu"),
    ("gre", "ell"),
    ("ice", "isl"),
    ("mac", "mkd"),
    ("mao", "mri"),
    ("may", "msa"),
    ("per", "fas"),
    ("rum", "ron"),
    ("slo", "slk"),
    ("tib", "bod"),
    ("wel", "cym"),
];

impl AudioTrack {
    /// Whether its language is the one with this ISO 639-1 (or 639-3) code.
    fn speaks(&self, language: &str) -> bool {
        let wanted = parse(language);
        wanted.is_some() && self.language.as_deref().and_then(parse) == wanted
    }
}

/// A language from a code of ISO 639-1, 639-2 or 639-3, which a region may follow (`pt-BR`).
fn parse(code: &str) -> Option<Language> {
    let code = code.split(['-', '_']).next()?.to_ascii_lowercase();
    let code = BIBLIOGRAPHIC.iter().find(|(b, _)| *b == code).map_or(code.as_str(), |(_, t)| t);
    Language::from_639_1(code).or_else(|| Language::from_639_3(code))
}

/// Indices of the tracks, the one to listen to first: one in the requested language (ISO 639-1), else one that is not a
/// commentary, else the one that the file marks, else the first.
pub(super) fn by_preference(tracks: &[AudioTrack], language: Option<&str>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..tracks.len()).collect();
    order.sort_by_key(|index| {
        let track = &tracks[*index];
        (!language.is_some_and(|language| track.speaks(language)), track.is_commentary, !track.is_default)
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(language: &str, is_default: bool) -> AudioTrack {
        AudioTrack { language: Some(language.to_owned()), is_default, ..AudioTrack::default() }
    }

    #[test]
    fn the_requested_language_comes_before_the_default_and_that_before_the_first() {
        let tracks = [track("por", false), track("eng", true), track("ger", false)];
        assert_eq!(by_preference(&tracks, None), [1, 0, 2]);
        assert_eq!(by_preference(&tracks, Some("pt")), [0, 1, 2]);
        assert_eq!(by_preference(&tracks, Some("de")), [2, 1, 0]);
        assert_eq!(by_preference(&tracks, Some("fr")), [1, 0, 2]);
        assert_eq!(by_preference(&[track("fr-CA", false), track("pt-BR", false)], Some("pt")), [1, 0]);
        let commentary = AudioTrack { is_commentary: true, ..track("eng", true) };
        assert_eq!(by_preference(&[commentary, track("eng", false)], Some("en")), [1, 0]);
        assert_eq!(by_preference(&[track("und", false), track("", false)], Some("auto")), [0, 1]);
    }
}
