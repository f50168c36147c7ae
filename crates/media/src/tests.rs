#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::PathBuf;

use tempfile::TempDir;

use ytcaption_domain::Span;
use ytcaption_testing::sound::{ffmpeg, write_wav};

use super::*;

mod whole_or_cut;

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
    assert!(!info.audio_tracks.is_empty() && info.duration_ms.unwrap().abs_diff(4000) < 100, "{info:?}");
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
    let error = convert_to_flac(&path, &dir.path().join("out.flac"), &ConvertSettings::default(), &mut ignore)
        .await
        .unwrap_err();
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
async fn nan_and_clipped_samples_are_sanitized() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wild.wav");
    let wild = [0.25, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 7.0, -7.0, f32::MAX, 0.5];
    write_wav(&path, &wild.repeat(2000));
    let pcm = decode(&path, None).await.unwrap();
    assert_eq!(pcm.samples.len(), 16_000);
    assert!(pcm.samples.iter().all(|sample| sample.abs() <= 1.0));
    let out = dir.path().join("out.flac");
    assert_eq!(convert_to_flac(&path, &out, &ConvertSettings::default(), &mut |_| {}).await.unwrap().duration_ms, 1000);
    let stored = decode(&out, None).await.unwrap();
    assert!((stored.samples[0] - 0.25).abs() < 0.01 && stored.samples[1].abs() < 0.01);
}

#[tokio::test]
async fn stores_16_khz_mono_flac() {
    let (dir, path) = media("in.mp3", &format!("{TONE} -ar 44100 -ac 2"));
    let out = dir.path().join("out.flac");
    let mut progress = Vec::new();
    let converted =
        convert_to_flac(&path, &out, &ConvertSettings::default(), &mut |ms| progress.push(ms)).await.unwrap();
    assert!(converted.duration_ms.abs_diff(3000) < 120, "{converted:?}");
    assert_eq!(progress.last(), Some(&converted.duration_ms));
    let info = probe(&out).await.unwrap();
    assert_eq!((info.format.as_str(), info.audio_tracks[0].codec.as_deref()), ("flac", Some("flac")));
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

/// The whole file as the worker converts it, decoded again.
async fn converted(path: &std::path::Path) -> (ConvertedAudio, Pcm) {
    let out = path.with_extension("out.flac");
    let converted = convert_to_flac(path, &out, &ConvertSettings::default(), &mut |_| {}).await.unwrap();
    let pcm = decode(&out, None).await.unwrap();
    assert_eq!((converted.duration_ms, None), (pcm.duration_ms(), pcm.truncation.clone()));
    (converted, pcm)
}

/// When the sound begins, in milliseconds.
fn first_sound_ms(pcm: &Pcm) -> u64 {
    samples_to_ms(pcm.samples.iter().position(|sample| sample.abs() > 0.02).unwrap() as u64)
}

#[tokio::test]
async fn sound_that_begins_after_the_picture_keeps_its_times() {
    let film = "-f lavfi -i testsrc=size=64x48:rate=5:duration=9 -itsoffset 5";
    for name in ["late.mkv", "late.mp4", "late.ts"] {
        let (_dir, path) = media(name, &format!("{film} {TONE} -map 0:v -map 1:a -c:v mpeg4 -c:a aac"));
        let (audio, pcm) = converted(&path).await;
        assert!(first_sound_ms(&pcm).abs_diff(5_000) < 100, "{name}: {} ms", first_sound_ms(&pcm));
        assert!(audio.duration_ms.abs_diff(8_000) < 120 && audio.truncation.is_none(), "{name}: {audio:?}");
    }
}

#[tokio::test]
async fn a_gap_in_the_times_is_silence_and_not_truncation() {
    let gap = "-af asetpts='if(gt(T,1),PTS+8/TB,PTS)' -c:a aac";
    let (_dir, path) = media("gap.mkv", &format!("{TONE} {gap}"));
    let (audio, pcm) = converted(&path).await;
    assert!(audio.duration_ms.abs_diff(11_000) < 120 && audio.truncation.is_none(), "{audio:?}");
    let sound = |second: usize| pcm.samples[second * 16_000..][..8_000].iter().any(|sample| sample.abs() > 0.02);
    assert_eq!([0, 3, 6, 10].map(sound), [true, false, false, true]);
}

#[tokio::test]
async fn corrupt_sound_becomes_silence_and_is_reported() {
    for name in ["garbage.m4a", "garbage.flac"] {
        let noise = "-f lavfi -i anoisesrc=duration=20:amplitude=0.3:sample_rate=16000 -ac 1";
        let (_dir, path) = media(name, noise);
        let mut bytes = std::fs::read(&path).unwrap();
        let (begin, end) = (bytes.len() * 3 / 10, bytes.len() / 2);
        for (n, byte) in bytes[begin..end].iter_mut().enumerate() {
            *byte = ((n * 31) & 255) as u8;
        }
        std::fs::write(&path, bytes).unwrap();
        let (audio, _) = converted(&path).await;
        assert!(audio.duration_ms.abs_diff(20_000) < 200, "{name}: {audio:?}");
        assert!(audio.truncation.as_deref().is_some_and(|text| text.contains("corrupt")), "{name}: {audio:?}");
    }
}

#[tokio::test]
async fn a_change_of_the_sample_rate_in_the_middle_loses_nothing() {
    for (extension, codec) in [("ts", "-c:a aac"), ("aac", "-c:a aac"), ("mp3", "-c:a libmp3lame -write_xing 0")] {
        let (dir, path) = media(&format!("a.{extension}"), &format!("{TONE} -ar 22050 -ac 1 {codec}"));
        ffmpeg(dir.path(), &format!("{TONE} -ar 44100 -ac 2 {codec} b.{extension}"));
        let second = std::fs::read(dir.path().join(format!("b.{extension}"))).unwrap();
        std::fs::write(&path, [std::fs::read(&path).unwrap(), second].concat()).unwrap();
        let (audio, pcm) = converted(&path).await;
        assert!(audio.duration_ms.abs_diff(6_000) < 250 && audio.truncation.is_none(), "{extension}: {audio:?}");
        assert!((frequency(&pcm) - 440.0).abs() < 20.0, "{extension}: {} Hz", frequency(&pcm));
    }
}

#[tokio::test]
async fn sides_that_cancel_each_other_and_odd_channels_are_decoded() {
    for (name, layout) in [
        ("inverted.wav", "pan=stereo|c0=c0|c1=-1*c0"),
        ("fourth.wav", "pan=6c|c0=0*c0|c1=0*c0|c2=0*c0|c3=c0|c4=0*c0|c5=0*c0"),
        ("last.wav", "pan=24c|c23=c0"),
    ] {
        let (_dir, path) = media(name, &format!("{TONE} -af {layout}"));
        let (audio, pcm) = converted(&path).await;
        assert!(audio.is_audible() && audio.duration_ms.abs_diff(3_000) < 50, "{name}: {audio:?}");
        assert!((frequency(&pcm) - 440.0).abs() < 10.0, "{name}: {} Hz", frequency(&pcm));
    }
}

#[tokio::test]
async fn the_track_is_chosen_by_language_then_by_the_default_mark_then_by_sound() {
    let inputs = "-f lavfi -i sine=frequency=300:duration=2 -f lavfi -i sine=frequency=900:duration=2 \
        -f lavfi -i anullsrc=r=44100:cl=mono:d=2 -map 0 -map 1 -map 2 -c:a aac";
    let languages = "-metadata:s:a:0 language=por -metadata:s:a:1 language=eng -metadata:s:a:2 language=ger";
    let (dir, path) = media("many.mkv", &format!("{inputs} {languages} -disposition:a:0 0 -disposition:a:1 default"));
    let out = dir.path().join("out.flac");
    for (language, track, hertz) in
        [(None, 2, 900.0), (Some("pt"), 1, 300.0), (Some("fr"), 2, 900.0), (Some("de"), 2, 900.0)]
    {
        let settings = ConvertSettings { track: TrackChoice { language, number: None }, ..ConvertSettings::default() };
        let audio = convert_to_flac(&path, &out, &settings, &mut |_| {}).await.unwrap();
        assert_eq!((audio.track.number, audio.track.of), (track, 3), "{language:?}");
        assert!((frequency(&decode(&out, None).await.unwrap()) - hertz).abs() < 20.0, "{language:?}");
    }
    for number in 1..=4 {
        let track = TrackChoice { number: Some(number), language: Some("pt") };
        let settings = ConvertSettings { track, ..ConvertSettings::default() };
        let converted = convert_to_flac(&path, &out, &settings, &mut |_| {}).await;
        if number == 4 {
            let error = converted.unwrap_err();
            assert!(error.is_permanent() && error.to_string().contains("1 (por), 2 (eng), 3 (ger)"), "{error}");
            continue;
        }
        let audio = converted.unwrap();
        assert_eq!((audio.track.number, audio.is_audible()), (number as usize, number < 3));
        let found = decode(MediaInput { path: &path, track }, None).await.unwrap();
        assert_eq!(found.samples.len(), decode(&out, None).await.unwrap().samples.len());
        assert!((frequency(&found) - [300.0, 900.0, 0.0][number as usize - 1]).abs() < 20.0, "{number}");
    }
}

#[tokio::test]
async fn media_that_are_too_long_are_refused_before_they_are_converted() {
    let (dir, path) = media("long.wav", TONE);
    let settings = ConvertSettings { max_duration_ms: Some(2_000), ..ConvertSettings::default() };
    let out = dir.path().join("out.flac");
    let error = convert_to_flac(&path, &out, &settings, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, MediaError::TooLong { max_ms: 2_000 }) && !out.exists(), "{error}");
    let (dir, path) = media("long.aac", &TONE.replace("=3", "=60"));
    let error = convert_to_flac(&path, &dir.path().join("out.flac"), &settings, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, MediaError::TooLong { .. }), "{error}");
}

#[tokio::test]
async fn unusual_containers_are_read() {
    for (name, how) in [("x.wtv", "-c:a ac3"), ("x.sf", "-f ircam"), ("x.spdif", "-ar 48000 -c:a ac3 -f spdif")] {
        let (_dir, path) = media(name, &format!("{TONE} {how}"));
        let (audio, _) = converted(&path).await;
        assert!(audio.duration_ms.abs_diff(3_000) < 150, "{name}: {audio:?}");
    }
}

/// Kills the ffmpeg that has `path` on its command line.
fn kill_reader_of(path: &std::path::Path, signal: &str) -> bool {
    let name = path.to_str().unwrap().as_bytes();
    let reads = |entry: &std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.windows(7).any(|part| part == b"ffmpeg\0") && line.windows(name.len()).any(|part| part == name)
    };
    let found: Vec<_> = std::fs::read_dir("/proc").unwrap().flatten().filter(reads).collect();
    for process in &found {
        let id = process.file_name();
        std::process::Command::new("kill").arg(signal).arg(&id).status().unwrap();
    }
    !found.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_ffmpeg_is_an_error_of_the_machine_and_not_of_the_media() {
    for signal in ["-KILL", "-TERM", "-SEGV"] {
        let (dir, path) = media("long.flac", "-f lavfi -i anoisesrc=duration=1200:sample_rate=16000 -ac 1");
        let out = dir.path().join("out.flac");
        let killed = Box::leak(Box::new(path.clone()));
        let mut was_found = None;
        let error = convert_to_flac(&path, &out, &ConvertSettings::default(), &mut |_| {
            let kill = || std::thread::spawn(|| kill_reader_of(killed, signal)).join().unwrap();
            was_found.get_or_insert_with(kill);
        })
        .await
        .unwrap_err();
        assert_eq!(was_found, Some(true), "{signal}");
        assert!(matches!(error, MediaError::ToolFailed { .. }) && !error.is_permanent(), "{signal}: {error}");
        let mut stream = PcmStream::open(&path, None).await.unwrap();
        let mut samples = Vec::new();
        stream.read_samples(&mut samples, 16_000).await.unwrap();
        assert!(kill_reader_of(&path, signal));
        while stream.read_samples(&mut samples, 16_000).await.unwrap() > 0 {}
        let error = stream.finish().await.unwrap_err();
        assert!(matches!(error, MediaError::ToolFailed { .. }), "{signal}: {error}");
    }
}

#[tokio::test]
async fn a_full_disk_is_an_error_of_the_machine_and_not_of_the_media() {
    let (_dir, path) = media("talk.wav", "-f lavfi -i anoisesrc=duration=60:sample_rate=16000 -ac 1");
    let full = PathBuf::from("/dev/full");
    let error = convert_to_flac(&path, &full, &ConvertSettings::default(), &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, MediaError::Io(_)) && !error.is_permanent(), "{error}");
}
