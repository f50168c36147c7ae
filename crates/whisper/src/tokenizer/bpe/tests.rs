#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;
use crate::testing::model_dir;

/// Written by `fixtures/make_pre_tokens.py` with Hugging Face's `tokenizers`.
const FIXTURES: &str = include_str!("../../../fixtures/pre_tokens.json");

#[test]
fn text_of_every_script_is_split_as_by_the_reference() {
    #[derive(Deserialize)]
    struct Fixtures {
        cases: Vec<Case>,
    }
    #[derive(Deserialize)]
    struct Case {
        script: String,
        text: String,
        pieces: Vec<String>,
    }
    let fixtures: Fixtures = serde_json::from_str(FIXTURES).unwrap();
    assert!(fixtures.cases.len() > 30);
    for Case { script, text, pieces } in fixtures.cases {
        assert_eq!(pre_tokenize(&text), pieces, "{script}");
    }
    assert_eq!(pre_tokenize(""), [""; 0]);
}

#[test]
fn a_long_run_of_white_space_is_split_too() {
    // The look-ahead backtracks over such a run.
    let text = format!("a{}b", " ".repeat(100_000));
    assert_eq!(pre_tokenize(&text).concat(), text);
}

#[test]
fn merges_the_lowest_rank_first() {
    for merges in [r#"["b c", "a b", "a bc"]"#, r#"[["b","c"], ["a","b"], ["a","bc"]]"#] {
        let table = BpeMerges::parse(&format!(r#"{{"model": {{"merges": {merges}}}}}"#)).unwrap();
        let joined = |text: &str| table.merge(text.chars().map(String::from).collect());
        assert_eq!(joined("abc"), ["abc"]);
        assert_eq!(joined("aab"), ["a", "ab"]);
        assert_eq!(joined("x"), ["x"]);
    }
}

#[test]
fn what_is_encoded_can_be_read_again() {
    let dir = model_dir();
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let vocabulary = Vocabulary::new(serde_json::from_str(&read("vocabulary.json")).unwrap()).unwrap();
    let tokenizer = crate::tokenizer::Tokenizer::new(vocabulary, dir.join("tokenizer.json"));
    for text in [" We want three red cars.", " Olá, três gatos!", " 🎉 don't\n12"] {
        assert_eq!(tokenizer.text(&tokenizer.encode(text).unwrap()), text);
    }
    let words = tokenizer.encode(" We want three red cars.").unwrap();
    assert!(words.len() <= 8, "words the model knows are few tokens: {words:?}");
}
