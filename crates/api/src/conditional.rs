//! Conditional requests: answers that a client may keep and revalidate (RFC 9110, section 13).

use axum::http::HeaderMap;
use axum::http::header::IF_NONE_MATCH;

/// `Cache-Control` of answers that clients may keep if they revalidate them each time.
pub(crate) const REVALIDATE: &str = "private, no-cache";

/// Whether `If-None-Match` names this entity tag (RFC 9110, section 13.1.2; weak comparison).
pub(crate) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_state_is_recognised_in_a_list_and_weakly() {
        let with = |value: &str| HeaderMap::from_iter([(IF_NONE_MATCH, value.parse().expect("a valid header"))]);
        for known in ["\"7\"", "\"6\", \"7\"", "W/\"7\"", "*"] {
            assert!(is_known(&with(known), "\"7\""), "{known}");
        }
        for other in ["\"6\"", "7", "\"77\""] {
            assert!(!is_known(&with(other), "\"7\""), "{other}");
        }
        assert!(!is_known(&HeaderMap::new(), "\"7\""));
    }
}
