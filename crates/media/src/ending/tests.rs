#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ytcaption_testing::sound::ffmpeg;

use super::*;

const NOISE: &str = "-f lavfi -i anoisesrc=duration=9:amplitude=0.3:sample_rate=44100:seed=1";
const PICTURE: &str = "-f lavfi -i testsrc=size=320x240:rate=25:duration=9";

/// Whole files: name, arguments of ffmpeg.
const WHOLE: [(&str, &str, &str); 22] = [
    ("opus.ogg", "ogg", "-c:a libopus"),
    ("vorbis.ogg", "ogg", "-c:a libvorbis"),
    ("flac.ogg", "ogg", "-c:a flac"),
    ("long_pages.ogg", "ogg", "-c:a libvorbis -page_duration 60000000"),
    ("xing.mp3", "mp3", "-c:a libmp3lame -q:a 5"),
    ("cbr.mp3", "mp3", "-c:a libmp3lame -b:a 64k -write_xing 0"),
    ("vbr.mp3", "mp3", "-c:a libmp3lame -q:a 5 -write_xing 0"),
    ("low.mp3", "mp3", "-c:a libmp3lame -b:a 16k -ar 11025 -ac 1 -write_xing 0"),
    ("half.mp3", "mp3", "-c:a libmp3lame -b:a 32k -ar 22050 -ac 1 -write_xing 0"),
    ("id3v1.mp3", "mp3", "-c:a libmp3lame -b:a 64k -write_xing 0 -write_id3v1 1 -metadata title=Talk"),
    ("ape.mp3", "mp3", "-c:a libmp3lame -b:a 64k -write_xing 0 -write_apetag 1 -metadata title=Talk"),
    ("layer2.mp2", "mp3", "-c:a mp2 -b:a 128k"),
    ("stereo.aac", "aac", "-c:a aac -ac 2"),
    ("low.aac", "aac", "-c:a aac -ar 22050"),
    ("sound.ac3", "ac3", "-c:a ac3"),
    ("sound.eac3", "eac3", "-c:a eac3"),
    ("aac.ts", "mpegts", "-c:a aac"),
    ("mp2.ts", "mpegts", "-c:a mp2"),
    ("bluray.ts", "mpegts", "-c:a ac3 -mpegts_m2ts_mode 1"),
    ("film.ts", "mpegts", "-c:v mpeg2video -c:a mp2"),
    ("film.mpg", "mpeg", "-c:v mpeg2video -c:a mp2"),
    ("film.vob", "mpeg", "-c:v mpeg2video -c:a ac3 -f vob"),
];

#[tokio::test]
async fn whole_files_are_whole_and_cut_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    for (name, format, arguments) in WHOLE {
        let picture = if name.starts_with("film") { PICTURE } else { "" };
        ffmpeg(dir.path(), &format!("{picture} {NOISE} {arguments} {name}"));
        let path = dir.path().join(name);
        assert!(!is_incomplete(&path, format).await, "{name} is whole");
        let bytes = std::fs::read(&path).unwrap();
        let cut = dir.path().join("cut");
        let (mut found, mut tried) = (0, 0);
        // At any byte, of which few are the end of a part.
        for length in (0..60).map(|n| bytes.len() * 2 / 5 + n * 7919 % (bytes.len() / 2)) {
            std::fs::write(&cut, &bytes[..length]).unwrap();
            found += usize::from(is_incomplete(&cut, format).await);
            tried += 1;
        }
        assert!(found * 10 >= tried * 9, "{name}: {found} of {tried}");
    }
}

#[tokio::test]
async fn what_is_no_such_file_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    for content in [
        Vec::new(),
        vec![0; 5000],
        vec![0xFF; 5000],
        vec![0x47; 5000],
        b"APETAGEX".repeat(100),
        (0..=255).cycle().take(70_000).collect(),
    ] {
        std::fs::write(&path, &content).unwrap();
        for format in ["ogg", "mp3", "aac", "ac3", "mpeg", "wav"] {
            assert!(!is_incomplete(&path, format).await, "{format}: {:?}", content.get(..10));
        }
    }
    assert!(!is_incomplete(&dir.path().join("missing"), "mp3").await);
}

#[tokio::test]
async fn what_follows_the_frames_is_no_cut_frame() {
    let dir = tempfile::tempdir().unwrap();
    ffmpeg(dir.path(), &format!("{NOISE} -c:a libmp3lame -b:a 64k -write_xing 0 talk.mp3"));
    let path = dir.path().join("talk.mp3");
    let bytes = std::fs::read(&path).unwrap();
    for more in [vec![0; 3], vec![0; 5000], b"Lyrics3 and other text".to_vec()] {
        std::fs::write(&path, [&bytes[..], &more].concat()).unwrap();
        assert!(!is_incomplete(&path, "mp3").await, "{} bytes more", more.len());
    }
}
