use super::*;

fn spans(spans: &[(u64, u64)]) -> Vec<Span> {
    spans.iter().map(|&(start_ms, end_ms)| Span { start_ms, end_ms }).collect()
}

/// The windows of speech that is everywhere equally loud, without padding.
fn packed(speech: &[(u64, u64)], limit_ms: u64) -> Vec<(u64, u64)> {
    let levels = vec![-20.0; usize::try_from(speech.last().map_or(0, |span| span.1) / FRAME_MS).unwrap_or(0)];
    times(&pack(&spans(speech), &levels, Packing { limit_ms, pad_ms: 0, duration_ms: u64::MAX }))
}

fn times(windows: &[Packed]) -> Vec<(u64, u64)> {
    windows.iter().map(|window| (window.span.start_ms, window.span.end_ms)).collect()
}

#[test]
fn what_fits_is_one_window() {
    assert_eq!(packed(&[(1000, 5000), (5500, 12_000)], 30_000), [(1000, 12_000)]);
    assert_eq!(packed(&[], 30_000), []);
}

#[test]
fn cuts_in_the_longest_pause_that_leaves_a_window_half_full() {
    let speech = [(0, 3000), (4500, 6000), (6200, 7900), (8800, 9600), (9700, 14_000)];
    // The longest pause, after 3000, would leave too little; of the rest the one before 8800 is longest.
    assert_eq!(packed(&speech, 10_000), [(0, 7900), (8800, 14_000)]);
}

#[test]
fn a_long_pause_ends_a_window() {
    assert_eq!(packed(&[(0, 2000), (7000, 9000)], 30_000), [(0, 2000), (7000, 9000)]);
}

#[test]
fn speech_longer_than_a_window_is_cut_where_it_is_quietest() {
    let mut levels = vec![-20.0; 2500];
    levels[820..826].fill(-50.0);
    levels[1600..1604].fill(-45.0);
    let packing = Packing { limit_ms: 10_000, pad_ms: 0, duration_ms: 25_000 };
    let windows = times(&pack(&spans(&[(0, 25_000)]), &levels, packing));
    assert_eq!(windows.len(), 3, "{windows:?}");
    assert!((8200..8260).contains(&windows[0].1), "{windows:?}");
    assert!((16_000..16_040).contains(&windows[1].1), "{windows:?}");
    assert!(windows.windows(2).all(|pair| pair[0].1 == pair[1].0), "nothing is lost: {windows:?}");
}

#[test]
fn padding_takes_of_a_pause_half_at_most() {
    let speech = spans(&[(100, 6000), (6300, 9000), (9400, 15_000)]);
    let packing = Packing { limit_ms: 10_000, pad_ms: 300, duration_ms: 15_100 };
    let windows = pack(&speech, &[], packing);
    assert_eq!(times(&windows), [(0, 9200), (9200, 15_100)]);
    assert_eq!(windows[0].speech, speech[..2]);
    assert_eq!(windows[1].speech, speech[2..]);
}

#[test]
fn no_window_is_longer_than_the_limit_and_no_speech_is_lost() {
    let speech: Vec<(u64, u64)> = (0..200).map(|i| (i * 1700, i * 1700 + 900 + i % 7 * 100)).collect();
    for limit_ms in [5_000, 12_000, 30_000] {
        for pad_ms in [0, 50, 400] {
            let packing = Packing { limit_ms, pad_ms, duration_ms: 400_000 };
            let windows = times(&pack(&spans(&speech), &[], packing));
            assert!(windows.iter().all(|(start, end)| end - start <= limit_ms), "{limit_ms} {pad_ms}");
            for span in &speech {
                assert!(windows.iter().any(|(start, end)| *start <= span.0 && span.1 <= *end));
            }
        }
    }
}
