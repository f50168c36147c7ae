#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::PathBuf;

use tempfile::TempDir;

use ytcaption_domain::Span;
use ytcaption_testing::sound::{ffmpeg, write_wav};

use super::*;

/// A directory with `name` made by ffmpeg from these arguments.
fn media(name: &str, arguments: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    ffmpeg(dir.path(), &format!("{arguments} {name}"));
    let path = dir.path().join(name);
    (dir, path)
}

fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, content).unwrap();
    (dir, path)
}

const TONE: &str = "-f lavfi -i sine=frequency=440:duration=3";

/// How often the signal crosses zero upwards in a second: its frequency.
fn frequency(pcm: &Pcm) -> f32 {
    let crossings = pcm.samples.windows(2).filter(|pair| pair[0] <= 0.0 && pair[1] > 0.0).count();
    crossings as f32 * 1000.0 / pcm.duration_ms() as f32
}

#[tokio::test]
async fn decodes_any_layout_and_rate_to_16_khz_mono() {
    for (name, arguments) in [
        ("mono_8k.wav", "-ar 8000 -ac 1"),
        ("stereo_96k.flac", "-ar 96000 -ac 2"),
        ("surround.ogg", "-ac 6 -c:a libvorbis"),
        ("speech.mp3", "-ar 44100 -ac 2"),
        ("speech.m4a", "-c:a aac"),
        ("speech.webm", "-c:a libopus"),
    ] {
        let (_dir, path) = media(name, &format!("{TONE} {arguments}"));
        let pcm = decode(&path, None).await.unwrap();
        assert!(pcm.duration_ms().abs_diff(3000) < 120, "{name}: {} ms", pcm.duration_ms());
        assert!((frequency(&pcm) - 440.0).abs() < 10.0, "{name}: {} Hz", frequency(&pcm));
        assert_eq!(pcm.truncation, None, "{name}");
    }
}

#[tokio::test]
async fn decodes_the_audio_of_a_video() {
    let video = "-f lavfi -i testsrc=size=64x48:rate=5:duration=4";
    let (_dir, path) = media(
        "-odd name:.mp4".trim_start_matches('-').replace(' ', "_").as_str(),
        &format!("{video} {TONE} -c:v mpeg4 -c:a aac"),
    );
    let info = probe(&path).await.unwrap();
    assert!(info.has_audio && info.duration_ms.unwrap().abs_diff(4000) < 100, "{info:?}");
    let pcm = decode(&path, None).await.unwrap();
    assert!(pcm.duration_ms().abs_diff(3000) < 120);
    assert_eq!(pcm.truncation, None, "audio shorter than the picture is not a truncation");
}

#[tokio::test]
async fn decodes_a_part() {
    let (_dir, path) = media("two.flac", "-f lavfi -i aevalsrc=sin(2*PI*t*if(lt(t\\,2)\\,200\\,800)):d=4");
    let part = |start_ms, end_ms| Span { start_ms, end_ms };
    let pcm = decode(&path, Some(part(2500, 3500))).await.unwrap();
    assert_eq!(pcm.duration_ms(), 1000);
    assert!((frequency(&pcm) - 800.0).abs() < 5.0);
    let pcm = decode(&path, Some(part(3750, 9000))).await.unwrap();
    assert_eq!((pcm.duration_ms(), pcm.truncation), (250, None), "a part may reach past the end");
    let pcm = decode(&path, Some(part(8000, 9000))).await.unwrap();
    assert_eq!(pcm.duration_ms(), 0);
}

#[tokio::test]
async fn names_what_is_wrong_with_a_file() {
    let (_a, empty) = file("empty.mp4", "");
    assert!(matches!(decode(&empty, None).await, Err(MediaError::Empty)));
    let (_b, text) = file("text.mp4", "This is plain text.\n".repeat(500));
    assert!(matches!(decode(&text, None).await, Err(MediaError::NotMedia { .. })));
    let (_c, page) = file("page.webm", "<html><body>404</body></html>");
    assert!(matches!(decode(&page, None).await, Err(MediaError::NotMedia { .. })));
    let missing = decode(&PathBuf::from("/nowhere/x.mp3"), None).await;
    assert!(matches!(missing, Err(MediaError::Unreadable { .. })));
    let silent_film = "-f lavfi -i testsrc=size=64x48:rate=5:duration=1 -c:v mpeg4 -an";
    let (dir, path) = media("silent.mp4", silent_film);
    let error = decode(&path, None).await.unwrap_err();
    assert!(matches!(error, MediaError::NoAudioTrack), "{error}");
    assert!(error.is_permanent());
    let mut ignore = |_| {};
    let error = convert_to_flac(&path, &dir.path().join("out.flac"), &mut ignore).await.unwrap_err();
    assert!(matches!(error, MediaError::NoAudioTrack), "{error}");
}

#[tokio::test]
async fn messages_do_not_contain_the_directory_of_the_file() {
    let (_dir, path) = file("x.mp4", [7_u8; 3000]);
    let message = decode(&path, None).await.unwrap_err().to_string();
    assert!(!message.contains(path.parent().unwrap().to_str().unwrap()), "{message}");
}

#[tokio::test]
async fn playlists_and_scripts_open_no_other_file() {
    let (dir, secret) = media("secret.wav", TONE);
    let playlist = format!("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n", secret.display());
    std::fs::write(dir.path().join("list.m3u8"), &playlist).unwrap();
    std::fs::write(dir.path().join("list.mp4"), &playlist).unwrap();
    std::fs::write(dir.path().join("list.txt"), "ffconcat version 1.0\nfile secret.wav\n").unwrap();
    for name in ["list.m3u8", "list.mp4", "list.txt"] {
        let result = decode(&dir.path().join(name), None).await;
        assert!(matches!(result, Err(MediaError::NotMedia { .. })), "{name}: {result:?}");
    }
}

#[tokio::test]
async fn a_cut_off_file_gives_what_it_holds_and_says_so() {
    let arguments = format!("{} -c:a aac -movflags +faststart", TONE.replace("=3", "=20"));
    let (dir, path) = media("whole.m4a", &arguments);
    let bytes = std::fs::read(&path).unwrap();
    let cut = dir.path().join("cut.m4a");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let pcm = decode(&cut, None).await.unwrap();
    assert!((5_000..15_000).contains(&pcm.duration_ms()), "{} ms", pcm.duration_ms());
    assert!(pcm.truncation.as_deref().is_some_and(|text| text.contains("cut off")), "{:?}", pcm.truncation);
    let converted = convert_to_flac(&cut, &dir.path().join("out.flac"), &mut |_| {}).await.unwrap();
    assert!(converted.truncation.is_some(), "{converted:?}");
    std::fs::write(&cut, &bytes[..40]).unwrap();
    assert!(decode(&cut, None).await.unwrap_err().is_permanent());
}

#[tokio::test]
async fn a_cut_off_file_with_its_index_at_the_end_is_named() {
    let (_dir, path) = media("index_last.m4a", &format!("{TONE} -c:a aac"));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(decode(&path, None).await, Err(MediaError::IndexMissing)));
}

#[tokio::test]
async fn nan_and_clipped_samples_are_sanitized() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wild.wav");
    let wild = [0.25, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 7.0, -7.0, f32::MAX, 0.5];
    write_wav(&path, &wild.repeat(2000));
    let pcm = decode(&path, None).await.unwrap();
    assert_eq!(pcm.samples.len(), 16_000);
    assert!(pcm.samples.iter().all(|sample| sample.abs() <= 1.0));
    let out = dir.path().join("out.flac");
    assert_eq!(convert_to_flac(&path, &out, &mut |_| {}).await.unwrap().duration_ms, 1000);
    let stored = decode(&out, None).await.unwrap();
    assert!((stored.samples[0] - 0.25).abs() < 0.01 && stored.samples[1].abs() < 0.01);
}

#[tokio::test]
async fn stores_16_khz_mono_flac() {
    let (dir, path) = media("in.mp3", &format!("{TONE} -ar 44100 -ac 2"));
    let out = dir.path().join("out.flac");
    let mut progress = Vec::new();
    let converted = convert_to_flac(&path, &out, &mut |ms| progress.push(ms)).await.unwrap();
    assert!(converted.duration_ms.abs_diff(3000) < 120, "{converted:?}");
    assert_eq!(progress.last(), Some(&converted.duration_ms));
    let info = probe(&out).await.unwrap();
    assert_eq!((info.format.as_str(), info.audio_codec.as_deref()), ("flac", Some("flac")));
    assert_eq!(decode(&out, None).await.unwrap().duration_ms(), converted.duration_ms);
}

#[tokio::test]
async fn streams_in_pieces() {
    let (_dir, path) = media("tone.flac", TONE);
    let mut stream = PcmStream::open(&path, None).await.unwrap();
    let (mut samples, mut pieces) = (Vec::new(), Vec::new());
    loop {
        match stream.read_samples(&mut samples, 7_000).await.unwrap() {
            0 => break,
            read => pieces.push(read),
        }
    }
    assert!(pieces.iter().all(|read| *read <= 7_000) && pieces.len() >= 7, "{pieces:?}");
    assert_eq!(samples, decode(&path, None).await.unwrap().samples);
    assert_eq!(stream.finish().await.unwrap().duration_ms, 3000);
}
