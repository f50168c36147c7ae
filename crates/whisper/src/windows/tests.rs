use super::*;

fn map(spans: &[(u64, u64)]) -> SpeechMap {
    let spans: Vec<Span> = spans.iter().map(|&(start_ms, end_ms)| Span { start_ms, end_ms }).collect();
    let frames = spans.last().map_or(0, |span| span.end_ms / FRAME_MS);
    SpeechMap { spans, levels: vec![-20.0; usize::try_from(frames).unwrap_or(0)] }
}

fn packed(map: &SpeechMap, limit_ms: u64) -> Vec<(u64, u64)> {
    pack(map, limit_ms).into_iter().map(|window| (window.start_ms, window.end_ms)).collect()
}

#[test]
fn what_fits_is_one_window() {
    assert_eq!(packed(&map(&[(1000, 5000), (5500, 12_000)]), 30_000), [(1000, 12_000)]);
    assert_eq!(packed(&map(&[]), 30_000), []);
}

#[test]
fn cuts_in_the_longest_pause_that_leaves_a_window_half_full() {
    let speech = map(&[(0, 3000), (4500, 6000), (6200, 7900), (8800, 9600), (9700, 14_000)]);
    // The longest pause, after 3000, would leave too little; of the rest the one before 8800 is longest.
    assert_eq!(packed(&speech, 10_000), [(0, 7900), (8800, 14_000)]);
}

#[test]
fn a_long_pause_ends_a_window() {
    assert_eq!(packed(&map(&[(0, 2000), (7000, 9000)]), 30_000), [(0, 2000), (7000, 9000)]);
}

#[test]
fn speech_longer_than_a_window_is_cut_where_it_is_quietest() {
    let mut speech = map(&[(0, 25_000)]);
    speech.levels[820..826].fill(-50.0);
    speech.levels[1600..1604].fill(-45.0);
    let windows = packed(&speech, 10_000);
    assert_eq!(windows.len(), 3, "{windows:?}");
    assert!((8200..8260).contains(&windows[0].1), "{windows:?}");
    assert!((16_000..16_040).contains(&windows[1].1), "{windows:?}");
    assert!(windows.windows(2).all(|pair| pair[0].1 == pair[1].0), "nothing is lost: {windows:?}");
}

#[test]
fn no_window_is_longer_than_the_limit_and_no_speech_is_lost() {
    let spans: Vec<(u64, u64)> = (0..200).map(|i| (i * 1700, i * 1700 + 900 + i % 7 * 100)).collect();
    for limit_ms in [5_000, 12_000, 30_000] {
        let windows = packed(&map(&spans), limit_ms);
        assert!(windows.iter().all(|(start, end)| end - start <= limit_ms), "{limit_ms}");
        for span in &spans {
            assert!(windows.iter().any(|(start, end)| *start <= span.0 && span.1 <= *end));
        }
    }
}
