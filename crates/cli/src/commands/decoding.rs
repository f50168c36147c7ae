//! `--option NAME=VALUE`: every option of the transcription, under faster-whisper's names.

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;
use ytcaption_whisper::TranscribeOptions;

/// Options of the transcription, given one by one.
#[derive(Debug, Args)]
pub(super) struct DecodingArgs {
    /// Option of the transcription under faster-whisper's name, its value in JSON; may be given again
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = parse)]
    options: Vec<(String, Value)>,
}

/// A value that is not JSON is used as text, so that texts need no quotes of their own.
fn parse(argument: &str) -> Result<(String, Value), String> {
    let (name, value) =
        argument.split_once('=').ok_or("give it as NAME=VALUE, such as word_timestamps=true".to_owned())?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((name.trim().to_owned(), value))
}

impl DecodingArgs {
    /// `options` with those that were given.
    pub(super) fn apply(self, options: &TranscribeOptions) -> anyhow::Result<TranscribeOptions> {
        let mut all = serde_json::to_value(options).context("the options are JSON")?;
        for (name, value) in self.options {
            all[name.as_str()] = value;
            // One at a time, so that the message can name the one.
            serde_json::from_value::<TranscribeOptions>(all.clone()).with_context(|| format!("--option {name}"))?;
        }
        Ok(serde_json::from_value(all)?)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn applied(arguments: &[&str]) -> Result<TranscribeOptions, String> {
        let options = arguments.iter().map(|argument| parse(argument)).collect::<Result<_, _>>()?;
        DecodingArgs { options }.apply(&TranscribeOptions::default()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn values_are_json_or_text() {
        let options = applied(&[
            "word_timestamps=true",
            "temperature=[0, 0.5]",
            "initial_prompt=Anna = a name",
            "vad_parameters={\"speech_pad_ms\": 100}",
        ])
        .unwrap();
        assert!(options.word_timestamps);
        assert_eq!(options.temperature, [0.0, 0.5]);
        assert_eq!(options.initial_prompt.as_deref(), Some("Anna = a name"));
        assert_eq!(options.vad_parameters.speech_pad_ms, 100);
        assert_eq!(options.beam_size, TranscribeOptions::default().beam_size);
    }

    #[test]
    fn mistakes_are_named() {
        assert!(applied(&["word_timestamps"]).unwrap_err().contains("NAME=VALUE"));
        let error = applied(&["word_timestamp=true"]).unwrap_err();
        assert!(error.contains("--option word_timestamp") && error.contains("`word_timestamps`"), "{error}");
        let error = applied(&["beam_size=large"]).unwrap_err();
        assert!(error.contains("--option beam_size"), "{error}");
    }
}
