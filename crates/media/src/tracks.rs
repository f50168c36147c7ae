//! Which of several audio tracks is listened to.

use std::path::Path;

use isolang::Language;
use ytcaption_domain::text;

use super::MediaError;

/// Tracks that are listed at most.
const MAX_LISTED: usize = 20;
/// Longest title in that list, in characters.
const MAX_TITLE_CHARS: usize = 40;

/// An audio track, as the headers describe it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AudioTrack {
    /// Codec under ffmpeg's name, such as `aac`.
    pub codec: Option<String>,
    /// ffmpeg's name of its channels' places, such as `5.1(side)`; `None` where the file does not say.
    pub layout: Option<String>,
    /// Language as the file names it: mostly ISO 639-2, such as `eng`.
    pub language: Option<String>,
    /// What the file calls it.
    pub title: Option<String>,
    /// Whether the file marks it as the one to play.
    pub is_default: bool,
    /// Whether it is a commentary, or describes the picture.
    pub is_commentary: bool,
    /// When it ends according to the headers, in milliseconds from the start of the file; `None` where they lack it.
    pub end_ms: Option<u64>,
}

/// Which audio track is listened to: the one with the number, else one in the language, else the one that the file marks as
/// default, else the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrackChoice<'a> {
    /// Its number among the audio tracks, counted from 1.
    pub number: Option<u32>,
    /// ISO 639-1 code of the preferred language.
    pub language: Option<&'a str>,
}

/// A media file and the audio track in it; of a path alone, the track that a player would play.
#[derive(Debug, Clone, Copy)]
pub struct MediaInput<'a> {
    /// The file.
    pub path: &'a Path,
    /// The track.
    pub track: TrackChoice<'a>,
}

impl<'a, P: AsRef<Path> + ?Sized> From<&'a P> for MediaInput<'a> {
    fn from(path: &'a P) -> Self {
        Self { path: path.as_ref(), track: TrackChoice::default() }
    }
}

/// The track that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenTrack {
    /// Its number, counted from 1.
    pub number: usize,
    /// Audio tracks of the file.
    pub of: usize,
    /// Its language as the file names it, mostly ISO 639-2.
    pub language: Option<String>,
}

impl ChosenTrack {
    pub(super) fn new(tracks: &[AudioTrack], index: usize) -> Self {
        Self { number: index + 1, of: tracks.len(), language: tracks[index].language.clone() }
    }

    /// What somebody who may have meant another track must know, in one sentence; `None` if there is no other.
    pub fn notice(&self) -> Option<String> {
        let language =
            self.language.as_ref().map(|code| format!(" ({})", text::clean(code, MAX_TITLE_CHARS))).unwrap_or_default();
        let (number, of) = (self.number, self.of);
        (of > 1).then(|| format!("The media has {of} audio tracks; number {number}{language} is transcribed"))
    }
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

/// Indices of the tracks that may be listened to, the best first.
///
/// # Errors
/// There is no audio track, or none with the requested number.
pub(super) fn candidates(tracks: &[AudioTrack], choice: TrackChoice<'_>) -> Result<Vec<usize>, MediaError> {
    if tracks.is_empty() {
        return Err(MediaError::NoAudioTrack);
    }
    let Some(number) = choice.number else { return Ok(by_preference(tracks, choice.language)) };
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let found = index.filter(|index| *index < tracks.len());
    found.map(|index| vec![index]).ok_or_else(|| MediaError::UnknownTrack { number, tracks: list(tracks) })
}

/// The tracks in words: `1 (eng), 2 (por, "Comentário")`.
fn list(tracks: &[AudioTrack]) -> String {
    let described = tracks.iter().take(MAX_LISTED).zip(1..).map(|(track, number)| {
        let language = track.language.clone().map(|language| text::clean(&language, MAX_TITLE_CHARS));
        let title = track.title.as_ref().map(|title| format!("“{}”", text::clean(title, MAX_TITLE_CHARS)));
        let facts: Vec<String> = language.into_iter().chain(title).collect();
        if facts.is_empty() { number.to_string() } else { format!("{number} ({})", facts.join(", ")) }
    });
    let mut parts: Vec<String> = described.collect();
    if tracks.len() > MAX_LISTED {
        parts.push(format!("and {} more", tracks.len() - MAX_LISTED));
    }
    parts.join(", ")
}

/// Indices of the tracks, the one to listen to first: one in the requested language (ISO 639-1), else one that is not a
/// commentary, else the one that the file marks, else the first.
fn by_preference(tracks: &[AudioTrack], language: Option<&str>) -> Vec<usize> {
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
    fn a_number_is_one_of_the_tracks() {
        let english = AudioTrack { title: Some("A\u{1b}[1m\nb".to_owned()), ..track("eng", false) };
        let tracks = [english, AudioTrack::default(), track("por", true)];
        let numbered = |number| candidates(&tracks, TrackChoice { number: Some(number), language: Some("pt") });
        assert_eq!([1, 3].map(|number| numbered(number).expect("it exists")), [vec![0], vec![2]]);
        for number in [0, 4, u32::MAX] {
            let error = numbered(number).expect_err("there are three").to_string();
            assert!(error.contains(&format!("number {number}: it has 1 (eng, “A[1m b”), 2, 3 (por)")), "{error}");
        }
        let many = vec![AudioTrack { title: Some("long ".repeat(1000)), ..AudioTrack::default() }; 1000];
        let list = list(&many);
        assert!(list.len() < 1500 && list.ends_with(", and 980 more"), "{list}");
        assert!(matches!(candidates(&[], TrackChoice::default()), Err(MediaError::NoAudioTrack)));
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
