//! Files that are cut off, and files that are whole although their headers say otherwise.

use super::*;

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
    let converted =
        convert_to_flac(&cut, &dir.path().join("out.flac"), &ConvertSettings::default(), &mut |_| {}).await.unwrap();
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
async fn an_estimated_length_promises_nothing() {
    let silence_first = "-f lavfi -i anullsrc=r=22050:cl=mono:d=20 -f lavfi -i anoisesrc=d=5:r=22050 \
        -filter_complex [0][1]concat=n=2:v=0:a=1";
    for (name, codec) in [("vbr.mp3", "-c:a libmp3lame -q:a 5 -write_xing 0"), ("raw.aac", "-c:a aac")] {
        let (_dir, path) = media(name, &format!("{silence_first} {codec}"));
        assert!(probe(&path).await.unwrap().is_estimate, "{name}");
        let (audio, _) = converted(&path).await;
        assert!(audio.truncation.is_none() && audio.duration_ms.abs_diff(25_000) < 200, "{name}: {audio:?}");
    }
}

#[tokio::test]
async fn a_cut_off_file_without_an_index_says_so() {
    for (name, codec) in [
        ("cut.wav", "-c:a pcm_s16le"),
        ("cut.avi", "-c:a pcm_s16le"),
        ("cut.flac", "-c:a flac"),
        ("cut.mp3", "-c:a libmp3lame -write_xing 0"),
        ("cut.aac", "-c:a aac"),
        ("cut.opus", "-c:a libopus"),
        ("cut.ts", "-c:a aac"),
        ("cut.webm", "-c:a libopus -live 1"),
    ] {
        let (_dir, path) = media(name, &format!("{} {codec}", TONE.replace("=3", "=20")));
        let (whole, _) = converted(&path).await;
        assert!(whole.truncation.is_none() && whole.duration_ms.abs_diff(20_000) < 100, "{name}: {whole:?}");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() * 2 / 5]).unwrap();
        let (audio, _) = converted(&path).await;
        assert!(audio.truncation.as_deref().is_some_and(|text| text.contains("cut off")), "{name}: {audio:?}");
    }
}

#[tokio::test]
async fn samples_after_what_a_wav_header_says_are_read() {
    let (_dir, path) = media("short.wav", TONE);
    let mut bytes = std::fs::read(&path).unwrap();
    let data = bytes.windows(4).position(|name| name == b"data").unwrap();
    bytes[data + 4..][..4].copy_from_slice(&44_100_u32.to_le_bytes());
    bytes[4..8].copy_from_slice(&44_136_u32.to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
    let (audio, _) = converted(&path).await;
    assert!(audio.duration_ms.abs_diff(3_000) < 50 && audio.truncation.is_none(), "{audio:?}");
    // As programs leave it that write into a pipe.
    for unknown in [0, u32::MAX] {
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[data + 4..][..4].copy_from_slice(&unknown.to_le_bytes());
        std::fs::write(&path, bytes).unwrap();
        let (audio, _) = converted(&path).await;
        assert!(audio.duration_ms.abs_diff(3_000) < 50 && audio.truncation.is_none(), "{unknown}: {audio:?}");
    }
}

#[tokio::test]
async fn no_sound_and_protected_sound_are_not_called_cut_off() {
    let (dir, path) = media("empty.wav", "-f lavfi -i anullsrc=r=16000:cl=mono -t 0");
    let out = dir.path().join("out.flac");
    let error = convert_to_flac(&path, &out, &ConvertSettings::default(), &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, MediaError::NoSound), "{error}");
    let key = "-encryption_scheme cenc-aes-ctr -encryption_key 76a6c65c5ea762046bd749a2e632ccbb \
        -encryption_kid a7e61c373e219033c21091fa607bf3b8";
    let (dir, path) = media("protected.mp4", &format!("{TONE} -c:a aac {key}"));
    let out = dir.path().join("out.flac");
    let error = convert_to_flac(&path, &out, &ConvertSettings::default(), &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, MediaError::Protected), "{error}");
}
