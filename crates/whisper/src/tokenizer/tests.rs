#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

/// A small vocabulary in Whisper's order.
pub(crate) fn tokenizer() -> Tokenizer {
    let words = ["Ġ", "ĠOl", "Ã", "¡", "!", "Ċ", "Ġâ", "âĻ", "ª", "ĠâĻª", "("];
    let markers = [
        "<|endoftext|>",
        "<|startoftranscript|>",
        "<|en|>",
        "<|pt|>",
        "<|translate|>",
        "<|transcribe|>",
        "<|startoflm|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
    ];
    let timestamps = (0..=1500).map(|i| format!("<|{:.2}|>", f64::from(i) / 50.0));
    let tokens = words.iter().chain(&markers).map(|token| (*token).to_owned());
    let vocabulary = Vocabulary::new(tokens.chain(timestamps).collect()).unwrap();
    Tokenizer::new(vocabulary, PathBuf::new())
}

#[test]
fn letters_represent_bytes_as_in_gpt2() {
    let letters = byte_letters();
    let letter = |byte: u8| letters[usize::from(byte)];
    assert_eq!((letter(b'A'), letter(b' '), letter(b'\n')), ('A', 'Ġ', 'Ċ'));
    assert_eq!((letter(0), letter(0x7F), letter(0xAD)), ('Ā', 'ġ', 'Ń'));
    assert_eq!(byte_alphabet().len(), 256);
}

#[test]
fn text_is_put_together_from_bytes() {
    let tokenizer = tokenizer();
    let id = |token: &str| tokenizer.vocabulary.id(token).unwrap();
    let ids = [id("ĠOl"), id("Ã"), id("¡"), id("!"), id("<|en|>"), id("<|1.00|>")];
    assert_eq!(tokenizer.text(&ids), " Olá!");
    assert_eq!(tokenizer.text(&ids[..2]), " Ol\u{FFFD}", "half a character");
}

#[test]
fn symbols_are_suppressed_but_spaces_are_not() {
    let tokenizer = tokenizer();
    let found = tokenizer.non_speech_tokens();
    for token in ["(", "ĠâĻª", "âĻ"] {
        assert!(found.contains(&tokenizer.vocabulary.id(token).unwrap()), "{token}");
    }
    for token in ["Ġ", "!", "ĠOl"] {
        assert!(!found.contains(&tokenizer.vocabulary.id(token).unwrap()), "{token}");
    }
}
