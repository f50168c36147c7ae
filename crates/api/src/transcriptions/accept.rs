//! Content negotiation: the caption format that a client prefers.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use ytcaption_domain::captions::Format;

/// The format when the header does not choose one.
const DEFAULT: Format = Format::Json;
/// Other names that clients use for a format.
const ALIASES: [(&str, Format); 2] = [("text/srt", Format::Srt), ("application/srt", Format::Srt)];

/// The format that the header `Accept` prefers (RFC 9110, section 12.5.1); `None` if it allows none of them.
pub(super) fn preferred(headers: &HeaderMap) -> Option<Format> {
    let mut ranges: Vec<(f32, &str)> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(weighted)
        .filter(|(_, range)| !range.is_empty())
        .collect();
    if ranges.is_empty() {
        return Some(DEFAULT);
    }
    ranges.retain(|(weight, _)| *weight > 0.0);
    // Stable: of equal weights the first named wins.
    ranges.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    ranges.into_iter().find_map(|(_, range)| matching(range))
}

/// A range such as `text/vtt;q=0.5` with its weight.
fn weighted(range: &str) -> (f32, &str) {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weight = parts.find_map(|parameter| parameter.strip_prefix("q=")).and_then(|text| text.parse().ok());
    (weight.unwrap_or(1.0), name)
}

fn matching(range: &str) -> Option<Format> {
    if range == "*/*" || range == "application/*" {
        return Some(DEFAULT);
    }
    if range == "text/*" {
        return Some(Format::Txt);
    }
    let named = Format::ALL.iter().copied().find(|format| format.media_type().eq_ignore_ascii_case(range));
    named.or_else(|| ALIASES.iter().find(|(name, _)| name.eq_ignore_ascii_case(range)).map(|(_, format)| *format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_chooses_the_format_and_json_is_the_default() {
        for (accept, expected) in [
            ("text/vtt", Some(Format::Vtt)),
            ("Application/X-SubRip", Some(Format::Srt)),
            ("text/srt", Some(Format::Srt)),
            ("text/plain;q=0.4, text/vtt;q=0.9", Some(Format::Vtt)),
            ("text/html, */*;q=0.1", Some(Format::Json)),
            ("text/vtt;q=0, text/*", Some(Format::Txt)),
            ("image/png", None),
            ("text/vtt;q=0", None),
            ("", Some(Format::Json)),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().expect("a valid header"))]);
            assert_eq!(preferred(&headers), expected, "{accept}");
        }
        assert_eq!(preferred(&HeaderMap::new()), Some(Format::Json));
    }
}
