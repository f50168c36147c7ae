//! Text from outside, made fit to be stored and shown: titles, file names, the lines of other programs, names in errors.
//!
//! The author of a web page or of a file's name chooses such text, and so does the receiver of a webhook. What cannot
//! be printed in it harms those who keep or read it: Postgres stores no NUL, a line break forges a line of a log, an
//! escape sequence controls a terminal, and a direction character
//! (<https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing>) shows a text
//! in another order than it has. Every text from outside passes [`clean`] where it comes in; a text that a client gives
//! in a request is checked with [`is_control`] first, and refused rather than changed where its words count.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

/// Longest title of media that is kept, in characters.
pub const MAX_TITLE_CHARS: usize = 300;
/// Longest message of a failure or a warning, in characters.
pub const MAX_MESSAGE_CHARS: usize = 1_000;
/// Longest piece of another program's or server's words within a message, in characters.
pub const MAX_QUOTE_CHARS: usize = 200;

/// The end of a text that was too long.
const ELLIPSIS: char = '…';
/// They join and part the letters of Persian, of the scripts of India, and of emoji.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];
/// Format characters that are visible: signs before a number or a verse, in Arabic, Syriac and Kaithi
/// (Unicode's property `Prepended_Concatenation_Mark`).
const VISIBLE_FORMAT: [char; 13] = [
    '\u{600}',
    '\u{601}',
    '\u{602}',
    '\u{603}',
    '\u{604}',
    '\u{605}',
    '\u{6dd}',
    '\u{70f}',
    '\u{890}',
    '\u{891}',
    '\u{8e2}',
    '\u{110bd}',
    '\u{110cd}',
];

/// The text on one line of at most `max_chars` characters: without control, direction and other invisible characters,
/// with single spaces between words and none around them. What is not a character is replaced by `U+FFFD`, once for each
/// run; a text that is too long ends with `…`.
pub fn clean(text: &str, max_chars: usize) -> String {
    let mut cleaned = String::new();
    let mut chars = 0;
    let mut space = false;
    for c in text.chars() {
        let c = match class(c) {
            Class::Blank => {
                space = chars > 0;
                continue;
            }
            Class::Invisible => continue,
            Class::NoCharacter => char::REPLACEMENT_CHARACTER,
            Class::Visible => c,
        };
        if c == char::REPLACEMENT_CHARACTER && !space && cleaned.ends_with(c) {
            continue;
        }
        if chars + 1 + usize::from(space) > max_chars {
            while chars + 1 > max_chars && cleaned.pop().is_some() {
                chars -= 1;
            }
            cleaned.truncate(cleaned.trim_end().len());
            if max_chars > 0 {
                cleaned.push(ELLIPSIS);
            }
            return cleaned;
        }
        if std::mem::take(&mut space) {
            cleaned.push(' ');
            chars += 1;
        }
        cleaned.push(c);
        chars += 1;
    }
    cleaned
}

/// The same of bytes that should be UTF-8. Bytes that are not, lone surrogates among them, are replaced.
pub fn clean_bytes(bytes: &[u8], max_chars: usize) -> String {
    clean(&String::from_utf8_lossy(bytes), max_chars)
}

/// The text without control characters and with everything else as it is, spaces too: for the output of a model.
pub fn without_controls(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_control) {
        Cow::Owned(text.chars().filter(|c| !is_control(*c)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether it is a control character: NUL, line breaks, tab, escape and their like, and the line and paragraph separators.
pub fn is_control(c: char) -> bool {
    matches!(
        c.general_category(),
        GeneralCategory::Control | GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator
    )
}

enum Class {
    Visible,
    /// A space, or what separates lines or words.
    Blank,
    Invisible,
    /// A code point that is for no character, now or ever.
    NoCharacter,
}

fn class(c: char) -> Class {
    if c.is_whitespace() {
        return Class::Blank;
    }
    match c.general_category() {
        GeneralCategory::Control => Class::Invisible,
        GeneralCategory::Format if !JOINERS.contains(&c) && !VISIBLE_FORMAT.contains(&c) => Class::Invisible,
        _ if u32::from(c) & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&c) => Class::NoCharacter,
        _ => Class::Visible,
    }
}

/// The words of another program without what only the operator may know: absolute paths, IP addresses and addresses in memory
/// become `…`. URLs stay, except those of IP addresses.
pub fn without_internals(text: &str) -> String {
    let mut kept = String::new();
    for piece in text.split_inclusive(is_delimiter) {
        let word = piece.trim_end_matches(is_delimiter);
        let rest = &piece[word.len()..];
        let inner = word.trim_end_matches(['.', ':']);
        if is_internal(inner) {
            kept.push(ELLIPSIS);
            kept.push_str(&word[inner.len()..]);
        } else {
            kept.push_str(word);
        }
        kept.push_str(rest);
    }
    kept
}

/// What parts the words of a program's message.
fn is_delimiter(c: char) -> bool {
    c.is_whitespace() || "'\"`()<>,;=".contains(c)
}

fn is_internal(word: &str) -> bool {
    let is_address = |text: &str| {
        let bare = text.trim_matches(['[', ']']);
        bare.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok()
    };
    let is_path = |text: &str| text.starts_with('/') && text.len() > 1;
    let authority = word.split_once("://").map(|(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    // `file:/a/b`, and `/a/b:` with more after it.
    let after_colon = word.rsplit_once(':').map(|(_, rest)| rest).filter(|_| authority.is_none());
    let is_memory = word.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    is_memory
        || is_address(authority.unwrap_or(word))
        || is_path(word)
        || word.starts_with("file:")
        || after_colon.is_some_and(is_path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_be_printed_is_removed_and_what_can_stays() {
        for (text, cleaned) in [
            ("A talk", "A talk"),
            ("  A\ttalk \r\n in\u{2028}lines\u{85}", "A talk in lines"),
            ("Talk \0 one", "Talk one"),
            ("a\0b", "ab"),
            ("\u{1b}[31mred\u{7}", "[31mred"),
            ("safe\u{202e}4pm.exe", "safe4pm.exe"),
            ("\u{2067}\u{2066}a\u{2069}\u{200f}\u{61c}\u{feff}\u{ad}\u{200b}", "a"),
            ("tag\u{e0041}\u{e007f}", "tag"),
            ("a\u{fffe}\u{fdd0}\u{fffd}b \u{fffd}\u{10ffff}", "a\u{fffd}b \u{fffd}"),
            // Ordinary text of every script.
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("क्\u{200d}ष", "क्\u{200d}ष"),
            ("👩\u{200d}👩\u{200d}👧 ❤\u{fe0f}", "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f}"),
            ("שלום عالم \u{600}١٢", "שלום عالم \u{600}١٢"),
            ("日本語 한국어 ไทย e\u{301}", "日本語 한국어 ไทย e\u{301}"),
            ("\0\u{202e} \n", ""),
        ] {
            assert_eq!(clean(text, 100), cleaned, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        for (text, max, cleaned) in [
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "abcde…"),
            ("abcd efg", 6, "abcd…"),
            ("abcd e", 5, "abcd…"),
            ("abcde \0 ", 5, "abcde"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
            ("ääää", 3, "ää…"),
        ] {
            assert_eq!(clean(text, max), cleaned, "{text:?} {max}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_replaced() {
        // A lone surrogate as it is written in bytes, and a byte of no encoding.
        assert_eq!(clean_bytes(b"Talk \xed\xa0\x80 one\xff", 100), "Talk \u{fffd} one\u{fffd}");
    }

    #[test]
    fn the_output_of_a_model_keeps_its_spaces() {
        assert_eq!(without_controls(" a\0 b\u{1b}"), " a b");
        assert!(matches!(without_controls(" שלום\u{200f} "), Cow::Borrowed(" שלום\u{200f} ")));
    }

    proptest! {
        #[test]
        fn a_cleaned_text_is_short_printable_and_clean(text in any::<String>(), max in 0_usize..40) {
            let cleaned = clean(&text, max);
            prop_assert!(cleaned.chars().count() <= max);
            prop_assert!(!cleaned.chars().any(char::is_control));
            prop_assert_eq!(cleaned.trim(), cleaned.as_str());
            prop_assert_eq!(clean(&cleaned, max), cleaned);
        }
    }

    #[test]
    fn what_only_the_operator_may_know_is_left_out_of_a_quotation() {
        for (text, kept) in [
            ("cannot open '/srv/work/download-7-x/a.part': denied", "cannot open '…': denied"),
            ("/srv/a b: Invalid data", "… b: Invalid data"),
            ("file:/srv/a: Invalid data", "…: Invalid data"),
            ("connect to 10.1.2.3:443 (host=fd00::1) failed", "connect to … (host=…) failed"),
            ("proxy http://127.0.0.1:4711 refused", "proxy … refused"),
            ("<Connection object at 0x7f12ab>: timed out", "<Connection object at …>: timed out"),
            (
                "[youtube] a/b: HTTP 403, see https://example.org/a/b?c=1.",
                "[youtube] a/b: HTTP 403, see https://example.org/a/b?c=1.",
            ),
            ("1 / 2, 4.5 s, 12:30, a:b", "1 / 2, 4.5 s, 12:30, a:b"),
        ] {
            assert_eq!(without_internals(text), kept);
        }
    }
}
