//! `ytcaption transcribe` with unusual audio: sample rates, channel layouts, clipping, invalid samples, and hardly any audio.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::speech::{assert_transcribed, media, video};
use crate::system::{model, program};

fn transcribe(file: &Path) -> Output {
    let mut command = program();
    command.args(["transcribe", "--format", "txt", "--model"]).arg(model()).arg(file);
    command.output().unwrap()
}

fn text_of(file: &Path) -> String {
    let output = transcribe(file);
    assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn write(directory: &tempfile::TempDir, name: &str, content: &[u8]) -> PathBuf {
    let file = directory.path().join(name);
    std::fs::write(&file, content).unwrap();
    file
}

#[test]
fn speech_is_transcribed_at_every_rate_in_every_layout_and_when_it_is_clipped() {
    let directory = tempfile::tempdir().unwrap();
    let source = write(&directory, "video.mp4", video());
    let source = source.display();
    for (name, how) in [
        ("8 kHz", "-ac 1 -ar 8000"),
        ("96 kHz stereo", "-ac 2 -ar 96000"),
        ("5.1", "-ac 6 -ar 48000"),
        ("one silent side", "-ac 2 -af pan=stereo|c0=c0|c1=0*c0"),
        ("clipped", "-ac 1 -ar 16000 -af volume=14dB"),
    ] {
        let file = write(&directory, "odd.wav", &media(&format!("-i {source} -vn {how}"), "wav"));
        let text = text_of(&file).to_lowercase();
        // The demo model was trained on undistorted wideband speech: other audio may cost it a word elsewhere.
        assert!(text.contains("three red cars") && text.contains("open the window now"), "{name}: {text}");
    }
}

#[test]
fn samples_that_are_not_finite_are_silence() {
    let directory = tempfile::tempdir().unwrap();
    let source = write(&directory, "video.mp4", video());
    let mut wav = media(&format!("-i {} -vn -ac 1 -ar 16000 -c:a pcm_f32le", source.display()), "wav");
    let head = wav.windows(4).position(|four| four == b"data").unwrap() + 8;
    for (sample, odd) in [(100, f32::NAN), (200, f32::INFINITY), (300, f32::NEG_INFINITY), (400, f32::MAX)] {
        wav[head + sample * 4..][..4].copy_from_slice(&odd.to_le_bytes());
    }
    assert_transcribed(&text_of(&write(&directory, "odd.wav", &wav)));
}

#[test]
fn empty_and_very_short_files_have_no_captions() {
    let directory = tempfile::tempdir().unwrap();
    for (name, length) in [("empty.wav", "0"), ("short.wav", "0.01"), ("second.wav", "1")] {
        let made = media(&format!("-f lavfi -i anullsrc=r=16000:cl=mono -t {length}"), "wav");
        assert_eq!(text_of(&write(&directory, name, &made)), "");
    }
}
