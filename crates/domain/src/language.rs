//! The languages that can be requested: those that Whisper knows.

/// Requests that the language is detected in the media.
pub const AUTO: &str = "auto";

/// Whisper's languages in the order of its tokens: code and English name. The codes are ISO 639-1 where it has one,
/// else ISO 639-3, and `jw` for Javanese, as Whisper spells it (`whisper/tokenizer.py` of openai/whisper). Models before
/// large-v3 lack the last one.
pub const LANGUAGES: [(&str, &str); 100] = [
    ("en", "English"),
    ("zh", "Chinese"),
    ("de", "German"),
    ("es", "Spanish"),
    ("ru", "Russian"),
    ("ko", "Korean"),
    ("fr", "French"),
    ("ja", "Japanese"),
    ("pt", "Portuguese"),
    ("tr", "Turkish"),
    ("pl", "Polish"),
    ("ca", "Catalan"),
    ("nl", "Dutch"),
    ("ar", "Arabic"),
    ("sv", "Swedish"),
    ("it", "Italian"),
    ("id", "Indonesian"),
    ("hi", "Hindi"),
    ("fi", "Finnish"),
    ("vi", "Vietnamese"),
    ("he", "Hebrew"),
    ("uk", "Ukrainian"),
    ("el", "Greek"),
    ("ms", "Malay"),
    ("cs", "Czech"),
    ("ro", "Romanian"),
    ("da", "Danish"),
    ("hu", "Hungarian"),
    ("ta", "Tamil"),
    ("no", "Norwegian"),
    ("th", "Thai"),
    ("ur", "Urdu"),
    ("hr", "Croatian"),
    ("bg", "Bulgarian"),
    ("lt", "Lithuanian"),
    ("la", "Latin"),
    ("mi", "Maori"),
    ("ml", "Malayalam"),
    ("cy", "Welsh"),
    ("sk", "Slovak"),
    ("te", "Telugu"),
    ("fa", "Persian"),
    ("lv", "Latvian"),
    ("bn", "Bengali"),
    ("sr", "Serbian"),
    ("az", "Azerbaijani"),
    ("sl", "Slovenian"),
    ("kn", "Kannada"),
    ("et", "Estonian"),
    ("mk", "Macedonian"),
    ("br", "Breton"),
    ("eu", "Basque"),
    ("is", "Icelandic"),
    ("hy", "Armenian"),
    ("ne", "Nepali"),
    ("mn", "Mongolian"),
    ("bs", "Bosnian"),
    ("kk", "Kazakh"),
    ("sq", "Albanian"),
    ("sw", "Swahili"),
    ("gl", "Galician"),
    ("mr", "Marathi"),
    ("pa", "Punjabi"),
    ("si", "Sinhala"),
    ("km", "Khmer"),
    ("sn", "Shona"),
    ("yo", "Yoruba"),
    ("so", "Somali"),
    ("af", "Afrikaans"),
    ("oc", "Occitan"),
    ("ka", "Georgian"),
    ("be", "Belarusian"),
    ("tg", "Tajik"),
    ("sd", "Sindhi"),
    ("gu", "Gujarati"),
    ("am", "Amharic"),
    ("yi", "Yiddish"),
    ("lo", "Lao"),
    ("uz", "Uzbek"),
    ("fo", "Faroese"),
    ("ht", "Haitian Creole"),
    ("ps", "Pashto"),
    ("tk", "Turkmen"),
    ("nn", "Nynorsk"),
    ("mt", "Maltese"),
    ("sa", "Sanskrit"),
    ("lb", "Luxembourgish"),
    ("my", "Myanmar"),
    ("bo", "Tibetan"),
    ("tl", "Tagalog"),
    ("mg", "Malagasy"),
    ("as", "Assamese"),
    ("tt", "Tatar"),
    ("haw", "Hawaiian"),
    ("ln", "Lingala"),
    ("ha", "Hausa"),
    ("ba", "Bashkir"),
    ("jw", "Javanese"),
    ("su", "Sundanese"),
    ("yue", "Cantonese"),
];

/// A text that is not the code of a language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{requested}` is not a language that Whisper knows; use `auto` or {instead}")]
pub struct UnknownLanguage {
    requested: String,
    instead: String,
}

/// The code of a language as a client wrote it; case and surrounding blanks do not matter.
///
/// # Errors
/// It is neither `auto` nor the code of a language that Whisper knows.
pub fn parse(text: &str) -> Result<&'static str, UnknownLanguage> {
    let requested = text.trim().to_ascii_lowercase();
    if requested == AUTO {
        return Ok(AUTO);
    }
    code(&requested).ok_or_else(|| UnknownLanguage {
        requested: text.trim().to_owned(),
        instead: probable_code(&requested)
            .map_or_else(|| "a code such as en, pt or es".to_owned(), |code| format!("`{code}`")),
    })
}

/// The English name of a language by its code.
pub fn name(code: &str) -> Option<&'static str> {
    LANGUAGES.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}

fn code(requested: &str) -> Option<&'static str> {
    LANGUAGES.iter().find(|(code, _)| *code == requested).map(|(code, _)| *code)
}

/// The code that a client probably means by a name (`English`) or a tag with a region (`en-US`).
fn probable_code(requested: &str) -> Option<&'static str> {
    let named = LANGUAGES.iter().find(|(_, name)| name.eq_ignore_ascii_case(requested)).map(|(code, _)| *code);
    named.or_else(|| code(requested.split(['-', '_']).next()?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_parses_to_itself_and_is_unique() {
        assert!(LANGUAGES.iter().all(|(code, _)| parse(code) == Ok(code)));
        assert_eq!(LANGUAGES.iter().map(|(code, _)| code).collect::<BTreeSet<_>>().len(), LANGUAGES.len());
    }

    #[test]
    fn case_and_blanks_do_not_matter() {
        assert_eq!(parse(" AUTO "), Ok("auto"));
        assert_eq!(parse("Pt"), Ok("pt"));
    }

    #[test]
    fn an_unknown_language_is_named_with_the_probable_code() {
        for (text, expected) in [
            ("en-US", "`en-US` is not a language that Whisper knows; use `auto` or `en`"),
            ("Portuguese", "`Portuguese` is not a language that Whisper knows; use `auto` or `pt`"),
            ("xx", "`xx` is not a language that Whisper knows; use `auto` or a code such as en, pt or es"),
            ("", "`` is not a language that Whisper knows; use `auto` or a code such as en, pt or es"),
        ] {
            assert_eq!(parse(text).map_err(|error| error.to_string()), Err(expected.to_owned()));
        }
    }
}
