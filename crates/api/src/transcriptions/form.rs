//! What a client asks for.

use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};
use ytcaption_domain::job::{Priority, TranscriptionOptions};
use ytcaption_domain::language;
use ytcaption_domain::network::AddressPolicy;

use super::fields::Fields;
use crate::problem::ApiError;

/// Longest name of a model, in characters.
const MAX_MODEL_CHARS: usize = 100;
/// Longest prompt and longest list of hot words, in characters: several times what a model takes (223 tokens), so that
/// nothing is refused that it would have read.
const MAX_PROMPT_CHARS: usize = 4_000;
/// Longest word for a language, a task or a priority, in characters; an unknown one is repeated in the answer.
const MAX_WORD_CHARS: usize = 40;

/// A recording to be captioned. One of `url` and `youtube_url` is required.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "youtube_url": "https://www.youtube.com/watch?v=jNQXAC9IVRw",
    "language": "auto",
    "priority": "normal",
    "webhook_url": "https://example.org/hooks/captions"
}))]
pub(crate) struct TranscriptionRequest {
    /// Page or media file, `http` or `https`, that yt-dlp can fetch.
    #[schema(format = Uri, max_length = 2048)]
    pub(crate) url: Option<String>,
    /// Another name of `url`.
    #[schema(format = Uri, max_length = 2048)]
    pub(crate) youtube_url: Option<String>,
    /// `auto`, or the code of a language that Whisper knows, such as `en`, `pt` or `yue`.
    #[schema(default = "auto")]
    pub(crate) language: Option<String>,
    /// `transcribe` writes down what is said, `translate` its English translation.
    #[schema(default = "transcribe", pattern = "^(transcribe|translate)$")]
    pub(crate) task: Option<String>,
    /// `high` overtakes others, `low` waits for them.
    #[schema(default = "normal", pattern = "^(high|normal|low)$")]
    pub(crate) priority: Option<String>,
    /// Name of the model; the default model unless given.
    #[schema(max_length = 100)]
    pub(crate) model: Option<String>,
    /// Text as if it had been said before, for names and style. The model takes 223 tokens, the hot words included; of
    /// a longer text the end counts.
    #[schema(max_length = 4000)]
    pub(crate) initial_prompt: Option<String>,
    /// Another name of `initial_prompt`.
    #[schema(max_length = 4000)]
    pub(crate) prompt: Option<String>,
    /// Words to expect, such as names. The model takes 223 tokens; of more the first count.
    #[schema(max_length = 4000)]
    pub(crate) hotwords: Option<String>,
    /// Also find the time of each word.
    pub(crate) word_timestamps: Option<bool>,
    /// Told when the job ends, as a signed POST (Standard Webhooks).
    #[schema(format = Uri, max_length = 2048)]
    pub(crate) webhook_url: Option<String>,
}

/// The same as a form, with a file beside the fields.
pub(crate) struct TranscriptionForm;

impl PartialSchema for TranscriptionForm {
    fn schema() -> RefOr<Schema> {
        let RefOr::T(Schema::Object(mut form)) = TranscriptionRequest::schema() else {
            unreachable!("a struct with named fields is described as an object");
        };
        let file = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
            .description(Some("The recording; anything that ffmpeg reads. Required unless an address is given."));
        form.properties.insert("file".to_owned(), file.into());
        form.description = Some(
            "A recording to be captioned, as a file. Give the fields before the file: faults are then found before it \
             is sent."
                .to_owned(),
        );
        form.example = None;
        RefOr::T(Schema::Object(form))
    }
}

impl ToSchema for TranscriptionForm {}

/// A request whose fields are all in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    /// The address, unless a file comes instead.
    pub(super) url: Option<Url>,
    pub(super) transcription: TranscriptionOptions,
    pub(super) priority: Priority,
    pub(super) webhook_url: Option<Url>,
}

/// Whether the recording comes with the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    Sent,
    Absent,
}

impl Wish {
    /// Reads the fields.
    ///
    /// # Errors
    /// All faults of all fields.
    pub(super) fn read(given: Map<String, Value>, file: File, network: &AddressPolicy) -> Result<Self, ApiError> {
        let mut fields = Fields::new(given);
        match (file, fields.has("url"), fields.has("youtube_url")) {
            (_, true, true) => {
                fields.faults.of_field("youtube_url", "Give `url` or `youtube_url`, not both; they mean the same");
            }
            (File::Absent, false, false) => {
                fields.faults.of_field("url", "Give the address of the recording as `url`, or send it as `file`");
            }
            (File::Sent, true, _) | (File::Sent, _, true) => {
                fields.faults.of_field("file", "Give a file or an address, not both");
            }
            _ => {}
        }
        if fields.has("initial_prompt") && fields.has("prompt") {
            fields.faults.of_field("prompt", "Give `initial_prompt` or `prompt`, not both; they mean the same");
        }
        let url = fields.url("url", network);
        let youtube_url = fields.url("youtube_url", network);
        let wish = Self {
            url: url.or(youtube_url),
            transcription: read_options(&mut fields),
            priority: fields.parsed("priority", MAX_WORD_CHARS, str::parse).unwrap_or_default(),
            webhook_url: fields.url("webhook_url", network),
        };
        fields.finish()?;
        Ok(wish)
    }
}

fn read_options(fields: &mut Fields) -> TranscriptionOptions {
    let initial_prompt = fields.text("initial_prompt", MAX_PROMPT_CHARS);
    let prompt = fields.text("prompt", MAX_PROMPT_CHARS);
    TranscriptionOptions {
        language: fields.parsed("language", MAX_WORD_CHARS, language::parse).unwrap_or(language::AUTO).to_owned(),
        task: fields.parsed("task", MAX_WORD_CHARS, str::parse).unwrap_or_default(),
        model: fields.parsed("model", MAX_MODEL_CHARS, read_model),
        initial_prompt: initial_prompt.or(prompt),
        hotwords: fields.text("hotwords", MAX_PROMPT_CHARS),
        word_timestamps: fields.flag("word_timestamps"),
    }
}

/// A model is named, not located: nothing in the name leads out of the folder of models.
fn read_model(name: &str) -> Result<String, &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(allowed);
    if name.split('/').all(plain) {
        Ok(name.to_owned())
    } else {
        Err("A model's name has letters, digits, `.`, `_`, `-`, and single slashes between, such as \
             `faster-whisper-small` or `Systran/faster-whisper-small`")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use ytcaption_domain::job::Task;

    use super::*;

    fn read(given: &Value, file: File) -> Result<Wish, Vec<(String, String)>> {
        let object = given.as_object().cloned().expect("an object");
        Wish::read(object, file, &AddressPolicy::default()).map_err(|error| match error {
            ApiError::InvalidRequest(faults) => {
                faults.into_iter().map(|fault| (fault.pointer.unwrap_or_default(), fault.detail)).collect()
            }
            other => panic!("{other:?}"),
        })
    }

    fn pointers(given: &Value, file: File) -> Vec<String> {
        read(given, file).expect_err("faults").into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn what_is_not_said_has_defaults() {
        let wish =
            read(&json!({"youtube_url": "https://example.org/a", "model": null, "webhook_url": ""}), File::Absent);
        assert_eq!(
            wish,
            Ok(Wish {
                url: Some("https://example.org/a".parse().expect("a URL")),
                transcription: TranscriptionOptions::default(),
                priority: Priority::Normal,
                webhook_url: None,
            })
        );
    }

    #[test]
    fn all_faults_come_at_once() {
        let given = json!({
            "url": "file:///etc/passwd", "language": "klingon", "priority": 1, "model": "../secret",
            "webhook_url": "http://10.0.0.1/", "colour": "blue", "a/b": 1, "task": "summarise", "hotwords": "a\nb",
            "prompt": "p".repeat(4_001), "word_timestamps": "yes",
        });
        let mut found = pointers(&given, File::Absent);
        found.sort();
        let expected = [
            "/a~1b",
            "/colour",
            "/hotwords",
            "/language",
            "/model",
            "/priority",
            "/prompt",
            "/task",
            "/url",
            "/webhook_url",
            "/word_timestamps",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_asked_of_the_transcription_is_read_under_either_name() {
        let asked = |fields: Value| read(&fields, File::Sent).expect("fit fields").transcription;
        let json =
            json!({"task": "translate", "prompt": " Dr. Ana Souza ", "hotwords": "Itaipu", "word_timestamps": true});
        let form = json!({
            "task": "translate", "initial_prompt": "Dr. Ana Souza", "hotwords": "Itaipu", "word_timestamps": "true",
        });
        let expected = TranscriptionOptions {
            task: Task::Translate,
            initial_prompt: Some("Dr. Ana Souza".into()),
            hotwords: Some("Itaipu".into()),
            word_timestamps: Some(true),
            ..TranscriptionOptions::default()
        };
        assert_eq!((asked(json), asked(form)), (expected.clone(), expected));
        assert_eq!(pointers(&json!({"prompt": "a", "initial_prompt": "a"}), File::Sent), ["/prompt"]);
        assert_eq!(asked(json!({"word_timestamps": "", "prompt": null})), TranscriptionOptions::default());
    }

    #[test]
    fn an_unknown_task_is_answered_with_those_there_are() {
        let faults = read(&json!({"task": "dub"}), File::Sent).expect_err("no task");
        let said = "`dub` is no task; use transcribe, or translate for an English translation";
        assert_eq!(faults, [("/task".to_owned(), said.to_owned())]);
    }

    #[test]
    fn there_is_exactly_one_recording() {
        let both = json!({"url": "https://example.org/a", "youtube_url": "https://example.org/a"});
        assert_eq!(pointers(&both, File::Absent), ["/youtube_url"]);
        assert_eq!(pointers(&json!({}), File::Absent), ["/url"]);
        assert_eq!(pointers(&json!({"url": "https://example.org/a"}), File::Sent), ["/file"]);
        assert_eq!(read(&json!({}), File::Sent).map(|wish| wish.url), Ok(None));
    }

    #[test]
    fn the_description_names_the_fields_that_are_read() {
        let described = serde_json::to_value(TranscriptionRequest::default()).expect("plain data");
        let all: Value =
            described.as_object().expect("an object").keys().map(|name| (name.clone(), json!(1))).collect();
        let faults = read(&all, File::Absent).expect_err("numbers are no texts");
        // `url` and `youtube_url` together are one fault more, and so are the two names of the prompt.
        assert_eq!(faults.len(), all.as_object().map_or(0, Map::len) + 2, "{faults:?}");
        assert!(faults.iter().all(|(_, detail)| !detail.contains("unknown")), "{faults:?}");
    }
}
