#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use ytcaption_testing::sound::{noise, silence, speak, write_wav};

use super::*;

fn settings(target_chunk_ms: u64) -> PlanSettings {
    PlanSettings { target_chunk_ms }
}

async fn plan(pcm: &[f32], settings: PlanSettings) -> AudioPlan {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audio.wav");
    write_wav(&path, pcm);
    plan_chunks(&path, settings).await.unwrap()
}

fn assert_covers(plan: &AudioPlan) {
    assert_eq!(plan.chunks[0].start_ms, 0);
    assert_eq!(plan.chunks[plan.chunks.len() - 1].end_ms, plan.duration_ms);
    for pair in plan.chunks.windows(2) {
        assert_eq!(pair[0].end_ms, pair[1].start_ms, "{plan:?}");
    }
}

#[tokio::test]
async fn chunks_end_in_pauses_and_cover_the_media() {
    let sentence = speak("en-us", "The house is white and the dog is black.");
    let sentence_ms = samples_to_ms(&sentence);
    let mut pcm = Vec::new();
    let mut speech = Vec::new();
    for i in 0..30 {
        pcm.extend(silence(500 + i % 4 * 300));
        let start_ms = samples_to_ms(&pcm);
        speech.push((start_ms, start_ms + sentence_ms));
        pcm.extend(&sentence);
    }
    let plan = plan(&pcm, settings(20_000)).await;
    assert_covers(&plan);
    assert!(plan.chunks.len() >= 4, "{plan:?}");
    assert!(plan.speech_ms > plan.duration_ms / 2, "{plan:?}");
    let (_, all_but_last) = plan.chunks.split_last().unwrap();
    for chunk in all_but_last {
        assert!((15_000..=25_000).contains(&chunk.length_ms()), "{plan:?}");
        let inside = speech.iter().find(|(a, b)| *a + 100 < chunk.end_ms && chunk.end_ms + 100 < *b);
        // espeak-ng leaves some silence at the end of a sentence, which counts as the sentence here.
        assert!(inside.is_none_or(|(_, end)| end - chunk.end_ms < 400), "{chunk:?} in {inside:?}");
    }
}

#[tokio::test]
async fn speech_without_a_pause_is_cut_all_the_same() {
    let tone: Vec<f32> = (0..16_000 * 40)
        .map(|n| {
            let t = n as f32 / 16_000.0;
            (t * 300.0 * std::f32::consts::TAU).sin() * 0.3 * (t * 15.0).sin().abs()
        })
        .collect();
    let plan = plan(&tone, settings(10_000)).await;
    assert_covers(&plan);
    assert!(plan.chunks.iter().all(|chunk| chunk.length_ms() <= 12_500), "{plan:?}");
}

#[tokio::test]
async fn media_without_speech_is_cut_too_so_that_no_worker_holds_a_day_of_it_in_memory() {
    for (pcm, least) in [(silence(60_000), 9), (noise(60_000, 0.1), 9), (silence(10), 1), (Vec::new(), 1)] {
        let plan = plan(&pcm, settings(5_000)).await;
        assert!(plan.chunks.len() >= least, "{plan:?}");
        assert!(plan.chunks.iter().all(|chunk| chunk.length_ms() <= 6_250), "{plan:?}");
        assert_eq!(plan.speech_ms, 0);
        assert_covers(&plan);
    }
}

#[tokio::test]
async fn a_day_is_planned_as_it_streams() {
    const RATE: u32 = 8_000;
    const SECONDS: u32 = 24 * 3600;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("day.wav");
    // 16-bit zeros that take no room on disk, after the header of a WAV file.
    let bytes = RATE * SECONDS * 2;
    let mut head = [b"RIFF".as_slice(), &(bytes + 36).to_le_bytes(), b"WAVEfmt ", &16_u32.to_le_bytes()].concat();
    head.extend([1_u16.to_le_bytes(), 1_u16.to_le_bytes()].concat());
    head.extend([RATE.to_le_bytes(), (RATE * 2).to_le_bytes()].concat());
    head.extend([2_u16.to_le_bytes(), 16_u16.to_le_bytes()].concat());
    head.extend([b"data".as_slice(), &bytes.to_le_bytes()].concat());
    std::fs::write(&path, &head).expect("a temporary file");
    let file = std::fs::File::options().write(true).open(&path).expect("it was written");
    file.set_len(u64::from(bytes) + head.len() as u64).expect("a sparse file");
    let plan = plan_chunks(&path, PlanSettings::default()).await.expect("it is a WAV file");
    assert_eq!(plan.duration_ms, u64::from(SECONDS) * 1000);
    assert!(plan.chunks.len() >= 24 * 60 / 7 && plan.chunks.iter().all(|chunk| chunk.length_ms() <= 375_000));
    assert_covers(&plan);
}

#[tokio::test]
async fn the_same_media_gives_the_same_plan() {
    let pcm = [speak("en-us", "Tomorrow is Friday."), silence(900)].concat().repeat(12);
    let first = plan(&pcm, settings(5_000)).await;
    assert!(first.chunks.len() > 3);
    assert_eq!(first, plan(&pcm, settings(5_000)).await);
}

fn samples_to_ms(samples: &[f32]) -> u64 {
    crate::samples_to_ms(samples.len() as u64)
}
