//! The header `Prefer` (RFC 7240): how long a client would wait for an answer.

use std::time::Duration;

use axum::http::HeaderMap;

const PREFER: &str = "prefer";
/// Longest wait that is granted; below the time limit of a request, and below what proxies commonly allow.
const LONGEST: Duration = Duration::from_secs(25);

/// The preference `wait=<seconds>`, cut to what is granted; `None` where there is none. As the standard says, what is not
/// understood is ignored, and of several the first counts.
pub(crate) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split(','));
    preferences.find_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        let seconds = value.trim().trim_matches('"').parse().ok()?;
        name.trim().eq_ignore_ascii_case("wait").then(|| Duration::from_secs(seconds).min(LONGEST))
    })
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn the_first_wait_that_is_understood_counts() {
        for (values, expected) in [
            (&[][..], None),
            (&["wait=10"], Some(10)),
            (&["respond-async, Wait = \"5\"; foo=bar"], Some(5)),
            (&["wait=soon", "wait=3, wait=4"], Some(3)),
            (&["wait=86400"], Some(LONGEST.as_secs())),
            (&["wait", "wait=-1", "waiter=4"], None),
        ] {
            let name = HeaderName::from_static(PREFER);
            let headers = values.iter().map(|value| (name.clone(), HeaderValue::from_static(value)));
            let mut map = HeaderMap::new();
            headers.for_each(|(name, value)| {
                map.append(name, value);
            });
            assert_eq!(wait(&map), expected.map(Duration::from_secs), "{values:?}");
        }
    }
}
