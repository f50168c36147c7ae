//! Caption files, read by the parsers of others: webvtt-py, pysubs2 and ffmpeg.

use std::path::{Path, PathBuf};
use std::process::Command;

use ytcaption_domain::captions::{Cue, CueStyle, Format, Segment, Transcript, Word, cues};

use crate::system;

/// Texts that break a caption file unless the writer escapes them.
const ODD: [&str; 14] = [
    "An ordinary sentence, long enough that it has to be broken into two lines somewhere.",
    "1 --> 2 and <b>bold</b> & {\\an8} {comment} R&B &amp; 3 < 4 > 2",
    "00:00:01,000 --> 00:00:02,000",
    "00:00:01.000 --> 00:00:02.000",
    "42",
    "WEBVTT",
    "NOTE this is not a comment",
    "STYLE ::cue { color: red }",
    "[00:10.00] [ti:no title] <00:11.00>",
    "a line\n\nbreak, a tab\t, a return\r\nand a beep\u{7}",
    "👩‍👩‍👧 שלום עולם, مرحبا بالعالم! עוד מילים כאן כדי לשבור שורה",
    "這是一個沒有空格的很長的句子，用來測試換行是否正確，也不會在標點之前斷開。",
    "Dialogue: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,no\\Nbreak, \\h",
    "#comment; ;comment ! \\ / | ~ ` ^",
];
/// Characters that the writers substitute for text that parsers would interpret; they look the same.
const LOOKALIKES: [(&str, &str); 4] = [("→", "-->"), ("｛", "{"), ("｝", "}"), ("\u{2060}", "")];

fn transcript<'a>(texts: impl IntoIterator<Item = &'a str>) -> Transcript {
    let segments = texts.into_iter().zip(0..).map(|(text, i)| {
        let start_ms = 6_000 * i;
        let words = text.split_whitespace().zip(0..).map(|(word, k)| Word {
            start_ms: start_ms + 200 * k,
            end_ms: start_ms + 200 * k + 150,
            text: format!(" {word}"),
            probability: 0.9,
        });
        Segment {
            start_ms,
            end_ms: start_ms + 5_000,
            text: text.to_owned(),
            avg_logprob: -0.2,
            no_speech_prob: 0.0,
            compression_ratio: 1.0,
            temperature: 0.0,
            words: words.collect(),
        }
    });
    Transcript { language: "en".to_owned(), duration_ms: 90_000, segments: segments.collect() }
}

fn file(directory: &Path, transcript: &Transcript, format: Format, style: &CueStyle) -> PathBuf {
    let path = directory.join(format!("odd.{}", format.extension()));
    std::fs::write(&path, format.write(transcript, style).unwrap()).unwrap();
    path
}

/// The cues that the parsers of others find in a file.
fn parse_cues(path: &Path) -> Vec<(u64, u64, String)> {
    let cache = std::env::var("YTCAPTION_CACHE").expect("run the tests by `make test`, or after `. scripts/env.sh`");
    let python = Path::new(&cache).join("tools/caption-parsers/bin/python");
    let script = system::root().join("tests/it/read_captions.py");
    let said = Command::new(python).arg(script).arg(path).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).unwrap()
}

fn original(text: &str) -> String {
    LOOKALIKES.iter().fold(text.to_owned(), |text, (lookalike, meant)| text.replace(lookalike, meant))
}

fn expected(cue: &Cue) -> String {
    cue.text_lines().join("\n")
}

#[test]
fn other_parsers_read_the_cues_that_were_written() {
    let directory = tempfile::tempdir().unwrap();
    let plain = CueStyle::default();
    let karaoke = CueStyle { highlight_words: true, ..plain };
    let transcript = transcript(ODD);
    let cues = cues(&transcript, &plain);
    for (format, style) in [
        (Format::Srt, plain),
        (Format::Vtt, plain),
        (Format::Vtt, karaoke),
        (Format::Ass, plain),
        (Format::Ass, karaoke),
    ] {
        let found = parse_cues(&file(directory.path(), &transcript, format, &style));
        assert_eq!(found.len(), cues.len(), "{format}: {found:#?}");
        for (cue, (start_ms, end_ms, text)) in cues.iter().zip(found) {
            // ASS has hundredths of a second.
            let rough = if format == Format::Ass { 10 } else { 1 };
            assert_eq!((start_ms / rough, end_ms / rough), (cue.start_ms / rough, cue.end_ms / rough), "{format}");
            assert_eq!(original(&text), original(&expected(cue)), "{format}");
        }
    }
}

#[test]
fn ffmpeg_reads_lyrics() {
    let directory = tempfile::tempdir().unwrap();
    // ffmpeg copies the text into SRT unchanged, where times and braces are interpreted.
    let transcript = transcript(ODD.into_iter().filter(|text| !text.contains("0:00:") && !text.contains('{')));
    let lyrics = file(directory.path(), &transcript, Format::Lrc, &CueStyle::default());
    let said = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(&lyrics)
        .args(["-c", "copy", "-f", "srt", "-"])
        .output()
        .unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let srt = directory.path().join("back.srt");
    std::fs::write(&srt, said.stdout).unwrap();
    let found: Vec<_> = parse_cues(&srt).into_iter().filter(|(.., text)| !text.trim().is_empty()).collect();
    let cues = cues(&transcript, &CueStyle::default());
    assert_eq!(found.len(), cues.len(), "{found:#?}");
    for (cue, (start_ms, _, text)) in cues.iter().zip(found) {
        assert_eq!(start_ms / 10, cue.start_ms / 10);
        let words = |text: &str| original(text).split_whitespace().collect::<String>();
        assert_eq!(words(&text), words(&expected(cue)));
    }
}
