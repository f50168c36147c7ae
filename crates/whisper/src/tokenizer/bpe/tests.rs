#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;
use crate::testing::model_dir;

#[test]
fn splits_as_gpt2_does() {
    assert_eq!(
        split_words(" We don't  read 3 books,\n  \u{e9}t\u{e9}!? "),
        [" We", " don", "'t", " ", " read", " 3", " books", ",", "\n ", " \u{e9}t\u{e9}", "!?", " "]
    );
    assert_eq!(split_words(""), [""; 0]);
    assert_eq!(split_words("\ta"), ["\t", "a"]);
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
