//! Media with words that the demo model knows, made by espeak-ng and ffmpeg, each once for all tests.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// The sentences spoken in [`video`], with silence between them.
pub(crate) const SENTENCES: [&str; 3] =
    ["We want three red cars.", "Please open the window now.", "The house is white and the dog is black."];
/// The highest word error rate that the demo model may have on [`video`].
const MAX_WORD_ERROR_RATE: f64 = 0.05;

/// A video (MP4) in which all [`SENTENCES`] are spoken.
pub(crate) fn video() -> &'static [u8] {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    MADE.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let spoken: Vec<String> = SENTENCES.iter().enumerate().map(|(n, text)| speak(&directory, n, text)).collect();
        let inputs: Vec<&str> = spoken.iter().flat_map(|file| ["-i", file]).collect();
        let each = |part: &dyn Fn(usize) -> String| (0..spoken.len()).map(part).collect::<Vec<_>>().concat();
        let padded = each(&|n| format!("[{n}:a]apad=pad_dur=0.8[a{n}];"));
        let joined = each(&|n| format!("[a{n}]"));
        let filter = format!("{padded}{joined}concat=n={}:v=0:a=1[a]", spoken.len());
        let picture = ["-f", "lavfi", "-i", "color=c=navy:s=160x90:r=5"];
        let output = ["-map", &format!("{}:v", spoken.len()), "-map", "[a]", "-shortest", "-movflags", "+faststart"];
        ffmpeg(&[&inputs[..], &picture, &["-filter_complex", &filter], &output].concat(), directory.path(), "mp4")
    })
}

/// The file that ffmpeg makes with these arguments, such as `-f lavfi -i sine=duration=1`, in the format of that extension.
pub(crate) fn media(arguments: &str, extension: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    ffmpeg(&arguments.split_whitespace().collect::<Vec<_>>(), directory.path(), extension)
}

/// Fails unless `text` is the transcript of [`video`], up to [`MAX_WORD_ERROR_RATE`].
pub(crate) fn assert_transcribed(text: &str) {
    let (spoken, transcribed) = (words(&SENTENCES.join(" ")), words(text));
    let wrong = edit_distance(&spoken, &transcribed);
    #[expect(clippy::cast_precision_loss, reason = "a few words")]
    let rate = wrong as f64 / spoken.len() as f64;
    assert!(rate <= MAX_WORD_ERROR_RATE, "{wrong} of {} words are wrong: {text:?}", spoken.len());
}

fn speak(directory: &TempDir, number: usize, text: &str) -> String {
    let file = directory.path().join(format!("{number}.wav"));
    let spoken = Command::new("espeak-ng").args(["-v", "en-us", "-s", "150", "-w"]).arg(&file).arg(text).status();
    assert!(spoken.expect("espeak-ng is installed (make setup)").success());
    file.to_str().unwrap().to_owned()
}

fn ffmpeg(arguments: &[&str], directory: &Path, extension: &str) -> Vec<u8> {
    let file = directory.join(format!("made.{extension}"));
    let made = Command::new("ffmpeg").args(["-v", "error", "-nostdin"]).args(arguments).arg(&file).output();
    let made = made.expect("ffmpeg is installed (make setup)");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::read(file).unwrap()
}

fn words(text: &str) -> Vec<String> {
    let letters = |c: char| c.is_alphanumeric() || c.is_whitespace();
    text.to_lowercase().replace(|c| !letters(c), "").split_whitespace().map(str::to_owned).collect()
}

/// The number of words to insert, delete or replace to turn `a` into `b` (Levenshtein distance).
fn edit_distance(a: &[String], b: &[String]) -> usize {
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
fn word_errors_are_counted() {
    let count = |a: &str, b: &str| edit_distance(&words(a), &words(b));
    assert_eq!(count("We want three red cars.", "we want three red cars"), 0);
    assert_eq!(count("We want three red cars.", "We want tree cars now"), 3);
    assert_eq!(count("We want", ""), 2);
}
