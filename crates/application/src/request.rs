//! A submission before and after its fields are checked.

use std::ops::RangeInclusive;

use serde::Serialize;
use url::{Host, Url};
use utoipa::ToSchema;
use ytcaption_domain::job::{Priority, TranscriptionOptions};
use ytcaption_domain::language;
use ytcaption_domain::network::{AddressPolicy, AddressRefusal};
use ytcaption_domain::text;

/// Longest URL, in characters; browsers and proxies accept no longer ones either.
const MAX_URL_CHARS: usize = 2_048;
/// Longest name of a model, in characters.
const MAX_MODEL_CHARS: usize = 100;
/// Longest prompt and longest list of hot words, in characters: several times what a model reads (223 tokens), so that
/// nothing is refused that it would have read.
const MAX_PROMPT_CHARS: usize = 4_000;
/// Longest language, task or priority, in characters; an unknown one is repeated in the message.
const MAX_NAME_CHARS: usize = 40;
/// Numbers that an audio track may have: ffmpeg reads no more tracks of a file.
const AUDIO_TRACKS: RangeInclusive<u32> = 1..=1000;

/// What a client requests, as text that nothing has checked yet. One of `url` and `youtube_url` is required, unless a
/// file is uploaded with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "youtube_url": "https://www.youtube.com/watch?v=jNQXAC9IVRw",
    "language": "auto",
    "priority": "normal",
    "webhook_url": "https://example.org/hooks/captions"
}))]
pub struct SubmitRequest {
    /// Page or media file, `http` or `https`, that yt-dlp can fetch.
    #[schema(format = Uri, max_length = 2048)]
    pub url: Option<String>,
    /// Another name of `url`.
    #[schema(format = Uri, max_length = 2048)]
    pub youtube_url: Option<String>,
    /// `auto`, or the code of a language that Whisper knows, such as `en`, `pt` or `yue`.
    #[schema(default = "auto")]
    pub language: Option<String>,
    /// `transcribe` writes down what is said, `translate` its English translation.
    #[schema(default = "transcribe", pattern = "^(transcribe|translate)$")]
    pub task: Option<String>,
    /// `high` goes before others, `low` after them.
    #[schema(default = "normal", pattern = "^(high|normal|low)$")]
    pub priority: Option<String>,
    /// Name of the model; the default model unless given.
    #[schema(max_length = 100)]
    pub model: Option<String>,
    /// Text as if it had been said before, for names and style. The model reads 223 tokens, the hot words included; of
    /// a longer text it reads the end.
    #[schema(max_length = 4000)]
    pub initial_prompt: Option<String>,
    /// Another name of `initial_prompt`.
    #[schema(max_length = 4000)]
    pub prompt: Option<String>,
    /// Words to expect, such as names. The model reads 223 tokens; of more it reads the first.
    #[schema(max_length = 4000)]
    pub hotwords: Option<String>,
    /// Also find the time of each word.
    pub word_timestamps: Option<bool>,
    /// Number of the audio track that is transcribed, counted from 1 among the audio tracks of the media; unless given,
    /// the track in the requested language, else the one that the media marks as default, else the first.
    #[schema(minimum = 1, maximum = 1000)]
    pub audio_track: Option<u32>,
    /// Receives a signed POST (Standard Webhooks) when the job ends.
    #[schema(format = Uri, max_length = 2048)]
    pub webhook_url: Option<String>,
}

/// How the media comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaLocation {
    /// It is at the URL of the request.
    Url,
    /// It is uploaded as a file.
    Upload,
}

/// A submission whose fields are valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitTranscription {
    /// Where the media is; `None` if it is uploaded as a file.
    pub url: Option<Url>,
    /// Options of the transcription.
    pub transcription: TranscriptionOptions,
    /// How urgent the job is.
    pub priority: Priority,
    /// Receives a POST when the job ends.
    pub webhook_url: Option<Url>,
}

/// A field that is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct FieldError {
    /// Name of the field in [`SubmitRequest`], or `file`.
    pub field: &'static str,
    /// What is wrong with it and what to write instead; one or two sentences.
    pub detail: String,
}

impl SubmitRequest {
    /// Checks every field. URLs may lead only where `network` permits, as far as can be known without resolving their
    /// hosts. Blanks around a text do not count, and an empty text counts as absent.
    ///
    /// # Errors
    /// Every field that is not valid, in no particular order.
    pub fn validate(
        &self,
        location: MediaLocation,
        network: &AddressPolicy,
    ) -> Result<SubmitTranscription, Vec<FieldError>> {
        let mut fields = Fields::default();
        let given = |field: Option<&str>| field.is_some_and(|text| !text.trim().is_empty());
        match (location, given(self.url.as_deref()), given(self.youtube_url.as_deref())) {
            (_, true, true) => {
                fields.error("youtube_url", "Give `url` or `youtube_url`, not both; they mean the same");
            }
            (MediaLocation::Url, false, false) => {
                fields.error("url", "Give the URL of the media as `url`, or send the media as `file`");
            }
            (MediaLocation::Upload, true, _) | (MediaLocation::Upload, _, true) => {
                fields.error("file", "Give a file or a URL, not both");
            }
            (MediaLocation::Url, ..) | (MediaLocation::Upload, false, false) => {}
        }
        if given(self.initial_prompt.as_deref()) && given(self.prompt.as_deref()) {
            fields.error("prompt", "Give `initial_prompt` or `prompt`, not both; they mean the same");
        }
        let url = fields.url("url", self.url.as_deref(), network);
        let youtube_url = fields.url("youtube_url", self.youtube_url.as_deref(), network);
        let initial_prompt = fields.text("initial_prompt", self.initial_prompt.as_deref(), MAX_PROMPT_CHARS);
        let prompt = fields.text("prompt", self.prompt.as_deref(), MAX_PROMPT_CHARS);
        let language = fields.parsed("language", self.language.as_deref(), MAX_NAME_CHARS, language::parse);
        let valid = SubmitTranscription {
            url: url.or(youtube_url),
            transcription: TranscriptionOptions {
                language: language.unwrap_or(language::AUTO).to_owned(),
                task: fields.parsed("task", self.task.as_deref(), MAX_NAME_CHARS, str::parse).unwrap_or_default(),
                model: fields.parsed("model", self.model.as_deref(), MAX_MODEL_CHARS, parse_model),
                initial_prompt: initial_prompt.or(prompt),
                hotwords: fields.text("hotwords", self.hotwords.as_deref(), MAX_PROMPT_CHARS),
                word_timestamps: self.word_timestamps,
                audio_track: fields.track(self.audio_track),
            },
            priority: fields
                .parsed("priority", self.priority.as_deref(), MAX_NAME_CHARS, str::parse)
                .unwrap_or_default(),
            webhook_url: fields.url("webhook_url", self.webhook_url.as_deref(), network),
        };
        if fields.errors.is_empty() { Ok(valid) } else { Err(fields.errors) }
    }
}

/// Checks the fields of a request one by one and keeps every error.
#[derive(Default)]
struct Fields {
    errors: Vec<FieldError>,
}

impl Fields {
    fn error(&mut self, field: &'static str, detail: impl Into<String>) {
        self.errors.push(FieldError { field, detail: detail.into() });
    }

    /// A text of at most `max_chars` characters without control characters.
    fn text(&mut self, field: &'static str, given: Option<&str>, max_chars: usize) -> Option<String> {
        let text = checked_text(field, given?, max_chars).map_err(|detail| self.error(field, detail)).ok()?;
        (!text.is_empty()).then_some(text)
    }

    /// A text that `parse` accepts.
    fn parsed<T, E: ToString>(
        &mut self,
        field: &'static str,
        given: Option<&str>,
        max_chars: usize,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = given?.trim();
        if text.is_empty() {
            return None;
        }
        let checked = check_text(field, text, max_chars).and_then(|()| parse(text).map_err(|error| error.to_string()));
        checked.map_err(|detail| self.error(field, text::clean(&detail, text::MAX_MESSAGE_CHARS))).ok()
    }

    fn track(&mut self, given: Option<u32>) -> Option<u32> {
        let valid = given.filter(|number| AUDIO_TRACKS.contains(number));
        if given != valid {
            let (first, last) = (AUDIO_TRACKS.start(), AUDIO_TRACKS.end());
            self.error("audio_track", format!("Audio tracks are counted from {first}; there are at most {last}"));
        }
        valid
    }

    fn url(&mut self, field: &'static str, given: Option<&str>, network: &AddressPolicy) -> Option<Url> {
        self.parsed(field, given, MAX_URL_CHARS, |text| parse_url(text, network))
    }
}

/// A text from a client as it is kept: in its own words, but without characters that change the direction of what is
/// around it.
///
/// # Errors
/// It is longer than `max_chars` characters or has control characters; the message names `field`.
pub(crate) fn checked_text(field: &str, text: &str, max_chars: usize) -> Result<String, String> {
    let text = text.trim();
    check_text(field, text, max_chars).map(|()| text::clean(text, max_chars))
}

fn check_text(field: &str, text: &str, max_chars: usize) -> Result<(), String> {
    if text.chars().count() > max_chars {
        return Err(format!("`{field}` is longer than {max_chars} characters"));
    }
    if text.chars().any(text::is_control) {
        return Err(format!("`{field}` has line breaks or other control characters"));
    }
    Ok(())
}

/// A model is given by its name, not by a path: nothing in the name leads out of the directory of models.
fn parse_model(name: &str) -> Result<String, &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(allowed);
    if name.split('/').all(plain) {
        Ok(name.to_owned())
    } else {
        Err("A model's name has letters, digits, `.`, `_`, `-`, and single slashes between, such as \
             `faster-whisper-small` or `Systran/faster-whisper-small`")
    }
}

fn parse_url(text: &str, network: &AddressPolicy) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| {
        format!("This is not a valid URL ({error}); write it in full, such as https://example.org/talk.mp4")
    })?;
    network.check_url(&url).and_then(|()| refuse_localhost(&url, network)).map_err(|refusal| refusal.to_string())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("A URL with a user name or password in it is refused, as it would be stored and shown; use one \
                    that needs none"
            .to_owned());
    }
    Ok(url)
}

/// `localhost` and the names below it are loopback by definition (RFC 6761, section 6.3).
fn refuse_localhost(url: &Url, network: &AddressPolicy) -> Result<(), AddressRefusal> {
    let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
    let name = name.trim_end_matches('.');
    let loopback = std::net::Ipv4Addr::LOCALHOST.into();
    if (name == "localhost" || name.ends_with(".localhost")) && !network.permits(loopback) {
        return Err(AddressRefusal::Private(loopback));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ytcaption_domain::job::Task;

    use super::*;

    fn validate(request: &SubmitRequest, location: MediaLocation) -> Result<SubmitTranscription, Vec<FieldError>> {
        request.validate(location, &AddressPolicy::default())
    }

    fn invalid_fields(request: &SubmitRequest, location: MediaLocation) -> Vec<&'static str> {
        let mut fields: Vec<_> =
            validate(request, location).expect_err("errors").into_iter().map(|error| error.field).collect();
        fields.sort_unstable();
        fields
    }

    #[test]
    fn absent_fields_have_defaults() {
        let request = SubmitRequest {
            youtube_url: Some("https://example.org/a".into()),
            webhook_url: Some(" ".into()),
            ..SubmitRequest::default()
        };
        assert_eq!(
            validate(&request, MediaLocation::Url),
            Ok(SubmitTranscription {
                url: Some("https://example.org/a".parse().expect("a URL")),
                transcription: TranscriptionOptions::default(),
                priority: Priority::Normal,
                webhook_url: None,
            })
        );
    }

    #[test]
    fn all_errors_are_found_at_once() {
        let request = SubmitRequest {
            url: Some("file:///etc/passwd".into()),
            language: Some("klingon".into()),
            task: Some("summarise".into()),
            priority: Some("soon".into()),
            model: Some("../secret".into()),
            prompt: Some("p".repeat(4_001)),
            hotwords: Some("a\nb".into()),
            audio_track: Some(0),
            webhook_url: Some("http://10.0.0.1/".into()),
            ..SubmitRequest::default()
        };
        let expected =
            ["audio_track", "hotwords", "language", "model", "priority", "prompt", "task", "url", "webhook_url"];
        assert_eq!(invalid_fields(&request, MediaLocation::Url), expected);
    }

    #[test]
    fn options_of_the_transcription_are_read_under_either_name() {
        let common = SubmitRequest {
            task: Some("translate".into()),
            hotwords: Some("Itaipu".into()),
            word_timestamps: Some(true),
            audio_track: Some(2),
            ..SubmitRequest::default()
        };
        let expected = TranscriptionOptions {
            task: Task::Translate,
            initial_prompt: Some("Dr. Ana Souza".into()),
            hotwords: Some("Itaipu".into()),
            word_timestamps: Some(true),
            audio_track: Some(2),
            ..TranscriptionOptions::default()
        };
        let one = SubmitRequest { prompt: Some(" Dr. Ana Souza ".into()), ..common.clone() };
        let other = SubmitRequest { initial_prompt: Some("Dr. Ana Souza".into()), ..common };
        for request in [&one, &other] {
            let valid = validate(request, MediaLocation::Upload).expect("valid fields");
            assert_eq!(valid.transcription, expected);
        }
        let both =
            SubmitRequest { initial_prompt: Some("a".into()), prompt: Some("a".into()), ..SubmitRequest::default() };
        assert_eq!(invalid_fields(&both, MediaLocation::Upload), ["prompt"]);
    }

    #[test]
    fn there_is_exactly_one_source() {
        let url = Some("https://example.org/a".into());
        let none = SubmitRequest::default();
        let one = SubmitRequest { url: url.clone(), ..SubmitRequest::default() };
        let both = SubmitRequest { youtube_url: url, ..one.clone() };
        assert_eq!(invalid_fields(&both, MediaLocation::Url), ["youtube_url"]);
        assert_eq!(invalid_fields(&none, MediaLocation::Url), ["url"]);
        assert_eq!(invalid_fields(&one, MediaLocation::Upload), ["file"]);
        assert_eq!(validate(&none, MediaLocation::Upload).map(|valid| valid.url), Ok(None));
    }

    #[test]
    fn a_url_of_the_public_internet_is_accepted() {
        let url = parse_url("https://Example.org/talk.mp4?t=1", &AddressPolicy::default()).expect("a public URL");
        assert_eq!(url.as_str(), "https://example.org/talk.mp4?t=1");
    }

    #[test]
    fn a_url_that_leads_elsewhere_is_refused_with_the_reason() {
        for (text, reason) in [
            ("talk.mp4", "not a valid URL"),
            ("https://", "not a valid URL"),
            ("file:///etc/passwd", "with the scheme `file:`"),
            ("ftp://example.org/a", "with the scheme `ftp:`"),
            ("http://127.0.0.1/a", "private, loopback"),
            ("http://2130706433/a", "private, loopback"),
            ("http://[::1]:8000/", "private, loopback"),
            ("http://169.254.169.254/latest/meta-data", "private, loopback"),
            ("http://LOCALHOST:9/", "private, loopback"),
            ("http://a.localhost./", "private, loopback"),
            ("https://me:secret@example.org/", "user name or password"),
        ] {
            let refusal = parse_url(text, &AddressPolicy::default()).expect_err(text);
            assert!(refusal.contains(reason), "{text}: {refusal}");
        }
    }

    #[test]
    fn an_exempt_network_may_be_reached_by_number_and_by_name() {
        let network = AddressPolicy::new(["127.0.0.0/8"]).expect("a network");
        for text in ["http://127.0.0.1:8080/a.mp4", "http://localhost:8080/a.mp4"] {
            assert!(parse_url(text, &network).is_ok(), "{text}");
        }
    }
}
