#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use ytcaption_media::{ConvertSettings, convert_to_flac};
use ytcaption_testing::sound::{ffmpeg, silence, speak, write_wav};

use super::*;
use crate::testing::transcriber;

/// A small video in which the sentence is spoken.
fn video(sentence: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let pcm = [silence(500), speak("en-us", sentence), silence(500)].concat();
    write_wav(&dir.path().join("speech.wav"), &pcm);
    ffmpeg(dir.path(), "-f lavfi -i testsrc=size=64x48:rate=5 -i speech.wav -shortest -c:v mpeg4 -c:a aac film.mp4");
    dir
}

#[tokio::test]
async fn a_video_becomes_text() {
    let dir = video("Please open the window now.");
    let mut done = Vec::new();
    let options = TranscribeOptions::default();
    let film = dir.path().join("film.mp4");
    let written = transcribe_file(transcriber(), &film, &options, &mut |progress| {
        done.push((progress.done_ms, progress.total_ms));
        ControlFlow::Continue(())
    })
    .await
    .unwrap();
    assert_eq!(written.transcript.segments[0].text, "Please open the window now.");
    assert_eq!((written.transcript.language.as_str(), written.truncation), ("en", None));
    let end = written.transcript.duration_ms;
    assert_eq!(done.last(), Some(&(end, end)));
}

#[tokio::test]
async fn a_chunk_has_the_times_of_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("talk.wav");
    let sentence = speak("en-us", "Tomorrow is Friday.");
    write_wav(&path, &[silence(20_000), sentence, silence(9_000)].concat());
    let chunk = Span { start_ms: 18_000, end_ms: 25_000 };
    // The prefix is for the beginning of the file, which this is not.
    let prefix = Some("My number is".to_owned());
    let options = TranscribeOptions { word_timestamps: true, prefix, ..TranscribeOptions::default() };
    let mut reported = Vec::new();
    let transcript = transcribe_chunk(transcriber(), &path, chunk, &options, &mut |progress| {
        reported.extend_from_slice(progress.segments);
        ControlFlow::Continue(())
    })
    .await
    .unwrap();
    assert_eq!(reported, transcript.segments);
    let segment = &transcript.segments[0];
    assert_eq!(segment.text, "Tomorrow is Friday.");
    assert!((19_700..20_400).contains(&segment.start_ms), "{segment:?}");
    assert!((19_700..20_400).contains(&segment.words[0].start_ms), "{segment:?}");
}

#[tokio::test]
async fn clips_are_of_the_file_and_not_of_the_chunk() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("talk.wav");
    let (first, second) = (speak("en-us", "Tomorrow is Friday."), speak("en-us", "We want three red cars."));
    write_wav(&path, &[silence(5_000), first, silence(5_000), second, silence(1_000)].concat());
    for (clips, chunk_start_ms, expected) in [
        (vec![0.0, 8.0], 0, vec!["Tomorrow is Friday."]),
        (vec![8.0], 0, vec!["We want three red cars."]),
        (vec![8.0], 3_000, vec!["We want three red cars."]),
        (vec![3.0, 8.0], 3_000, vec!["Tomorrow is Friday."]),
        (vec![0.0, 3.0], 3_000, vec![]),
        (vec![], 0, vec![]),
    ] {
        let chunk = Span { start_ms: chunk_start_ms, end_ms: 16_000 };
        let options = TranscribeOptions { clip_timestamps: Some(clips.clone()), ..TranscribeOptions::default() };
        let mut go_on = |_: Progress<'_>| ControlFlow::Continue(());
        let transcript = transcribe_chunk(transcriber(), &path, chunk, &options, &mut go_on).await.unwrap();
        let texts: Vec<_> = transcript.segments.iter().map(|segment| segment.text.as_str()).collect();
        assert_eq!(texts, expected, "{clips:?} of a chunk from {chunk_start_ms} on");
    }
}

#[tokio::test]
async fn errors_of_the_file_and_of_the_options_are_returned() {
    let dir = video("Thank you and goodbye.");
    let mut go_on = |_: Progress<'_>| ControlFlow::Continue(());
    let film = dir.path().join("film.mp4");
    let options = TranscribeOptions { language: Some("xx".to_owned()), ..TranscribeOptions::default() };
    let error = transcribe_file(transcriber(), &film, &options, &mut go_on).await.unwrap_err();
    assert!(matches!(error, FileError::Transcribe(TranscribeError::UnknownLanguage { .. })));
    std::fs::write(&film, "not a video").unwrap();
    let options = TranscribeOptions::default();
    let error = transcribe_file(transcriber(), &film, &options, &mut go_on).await.unwrap_err();
    assert!(matches!(error, FileError::Media(MediaError::NotMedia { .. })), "{error}");
}

#[tokio::test]
async fn a_chunk_whose_audio_is_missing_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (wav, flac) = (dir.path().join("talk.wav"), dir.path().join("talk.flac"));
    write_wav(&wav, &speak("en-us", "Tomorrow is Friday.").repeat(8));
    convert_to_flac(&wav, &flac, &ConvertSettings::default(), &mut |_| {}).await.unwrap();
    let whole = std::fs::read(&flac).unwrap();
    let mut go_on = |_: Progress<'_>| ControlFlow::Continue(());
    let options = TranscribeOptions { language: Some("en".to_owned()), ..TranscribeOptions::default() };
    let mut transcribe = async |start_ms| {
        let chunk = Span { start_ms, end_ms: start_ms + 3_000 };
        transcribe_chunk(transcriber(), &flac, chunk, &options, &mut go_on).await
    };
    assert!(!transcribe(6_000).await.unwrap().segments.is_empty());
    std::fs::write(&flac, &whole[..whole.len() / 3]).unwrap();
    let error = transcribe(6_000).await.unwrap_err();
    assert!(
        matches!(error, FileError::Media(MediaError::Incomplete { .. } | MediaError::Undecodable { .. })),
        "{error}"
    );
    assert!(!transcribe(0).await.unwrap().segments.is_empty(), "the part that exists is transcribed");
}

#[tokio::test]
async fn break_stops_a_file() {
    let dir = video("The house is white and the dog is black.");
    let film = dir.path().join("film.mp4");
    let options = TranscribeOptions::default();
    let error = transcribe_file(transcriber(), &film, &options, &mut |_| ControlFlow::Break(())).await.unwrap_err();
    assert!(matches!(error, FileError::Transcribe(TranscribeError::Cancelled)), "{error}");
}
