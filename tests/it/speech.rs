//! Recordings with words that the demo model knows, made by espeak-ng and ffmpeg; each once for all tests.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// What is said in [`video`], with a pause between sentences.
pub(crate) const SENTENCES: [&str; 3] =
    ["We want three red cars.", "Please open the window now.", "The house is white and the dog is black."];
/// Most words that may be wrong, of every word said: the demo model promises so much.
const MOST_WRONG: f64 = 0.05;

/// A video (MP4) in which all [`SENTENCES`] are said.
pub(crate) fn video() -> &'static [u8] {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let spoken: Vec<String> = SENTENCES.iter().enumerate().map(|(n, text)| speak(&folder, n, text)).collect();
        let inputs: Vec<&str> = spoken.iter().flat_map(|file| ["-i", file]).collect();
        let each = |part: &dyn Fn(usize) -> String| (0..spoken.len()).map(part).collect::<Vec<_>>().concat();
        let pauses = each(&|n| format!("[{n}:a]apad=pad_dur=0.8[a{n}];"));
        let joined = each(&|n| format!("[a{n}]"));
        let filter = format!("{pauses}{joined}concat=n={}:v=0:a=1[a]", spoken.len());
        let picture = ["-f", "lavfi", "-i", "color=c=navy:s=160x90:r=5"];
        let output = ["-map", &format!("{}:v", spoken.len()), "-map", "[a]", "-shortest", "-movflags", "+faststart"];
        ffmpeg(&[&inputs[..], &picture, &["-filter_complex", &filter], &output].concat(), folder.path(), "mp4")
    })
}

/// What ffmpeg makes of a description, such as `-f lavfi -i sine=duration=1`, as a file with that ending.
pub(crate) fn media(description: &str, ending: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    ffmpeg(&description.split_whitespace().collect::<Vec<_>>(), folder.path(), ending)
}

/// Fails unless `text` is what was said in [`video`].
pub(crate) fn assert_heard(text: &str) {
    let (said, heard) = (words(&SENTENCES.join(" ")), words(text));
    let wrong = edits(&said, &heard);
    #[expect(clippy::cast_precision_loss, reason = "a few words")]
    let rate = wrong as f64 / said.len() as f64;
    assert!(rate <= MOST_WRONG, "{wrong} of {} words are wrong: {text:?}", said.len());
}

fn speak(folder: &TempDir, number: usize, text: &str) -> String {
    let file = folder.path().join(format!("{number}.wav"));
    let spoken = Command::new("espeak-ng").args(["-v", "en-us", "-s", "150", "-w"]).arg(&file).arg(text).status();
    assert!(spoken.expect("espeak-ng is installed (make setup)").success());
    file.to_str().unwrap().to_owned()
}

fn ffmpeg(arguments: &[&str], folder: &Path, ending: &str) -> Vec<u8> {
    let file = folder.join(format!("made.{ending}"));
    let made = Command::new("ffmpeg").args(["-v", "error", "-nostdin"]).args(arguments).arg(&file).output();
    let made = made.expect("ffmpeg is installed (make setup)");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::read(file).unwrap()
}

fn words(text: &str) -> Vec<String> {
    let letters = |c: char| c.is_alphanumeric() || c.is_whitespace();
    text.to_lowercase().replace(|c| !letters(c), "").split_whitespace().map(str::to_owned).collect()
}

/// How many words have to be put in, left out or replaced to make `b` of `a` (Levenshtein's distance).
fn edits(a: &[String], b: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, word) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(word != other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[test]
fn wrong_words_are_counted() {
    let count = |a: &str, b: &str| edits(&words(a), &words(b));
    assert_eq!(count("We want three red cars.", "we want three red cars"), 0);
    assert_eq!(count("We want three red cars.", "We want tree cars now"), 3);
    assert_eq!(count("We want", ""), 2);
}
