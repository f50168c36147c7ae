//! Times and counts as text.

const SECOND_MS: u64 = 1000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// A duration as a person writes it: `85 ms`, `2.4 s`, `3 min 05 s`, `2 h 10 min`.
pub(super) fn duration(ms: u64) -> String {
    match ms {
        0..SECOND_MS => format!("{ms} ms"),
        SECOND_MS..MINUTE_MS => format!("{}.{} s", ms / SECOND_MS, ms % SECOND_MS / 100),
        MINUTE_MS..HOUR_MS => format!("{} min {:02} s", ms / MINUTE_MS, ms % MINUTE_MS / SECOND_MS),
        _ => format!("{} h {:02} min", ms / HOUR_MS, ms % HOUR_MS / MINUTE_MS),
    }
}

/// A point in the media: `0:07`, `1:02:03`.
pub(super) fn media_time(ms: u64) -> String {
    let (hours, minutes, seconds) = (ms / HOUR_MS, ms % HOUR_MS / MINUTE_MS, ms % MINUTE_MS / SECOND_MS);
    if hours == 0 { format!("{minutes}:{seconds:02}") } else { format!("{hours}:{minutes:02}:{seconds:02}") }
}

/// A number with its noun: `1 chunk`, `2 chunks`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// What follows a failed attempt.
pub(super) fn retry(retry_in_ms: Option<u64>) -> String {
    retry_in_ms.map_or_else(|| "not tried again".to_owned(), |ms| format!("tried again in {}", duration(ms)))
}

/// A sentence without its full stop, so that something can follow.
pub(super) fn without_full_stop(sentence: &str) -> &str {
    sentence.trim_end().trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_write_them() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1.0 s"),
            (59_999, "59.9 s"),
            (185_000, "3 min 05 s"),
            (7_800_000, "2 h 10 min"),
        ] {
            assert_eq!(duration(ms), text);
        }
        assert_eq!((media_time(7_999).as_str(), media_time(3_723_000).as_str()), ("0:07", "1:02:03"));
        assert_eq!((count(1, "chunk").as_str(), count(0, "chunk").as_str()), ("1 chunk", "0 chunks"));
    }
}
