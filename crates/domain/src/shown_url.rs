//! URLs as they are shown in lists, timelines and events: without what gives access to every reader.
//!
//! A presigned URL has its permission in the query, and the URL of a webhook often has a token in its path. The event store
//! keeps both encrypted and whole; `ytcaption events show --reveal` shows them to the operator.

use serde_json::Value;
use url::Url;

/// In place of what is not shown.
const HIDDEN: &str = "…";
/// Query parameters that name the media on common sites, and give no permission.
const SHOWN_PARAMETERS: [&str; 8] = ["v", "list", "index", "t", "start", "lang", "hl", "p"];

/// The URL of media, without user name, password and fragment, and with `…` for the values of its query, those excepted that
/// name media on common sites. A text that is not an `http` URL, such as that of an erased job, is shown as it is.
pub fn shown_media_url(text: &str) -> String {
    let Some(mut url) = http_url(text) else { return text.to_owned() };
    if let Some(query) = url.query().map(str::to_owned) {
        let shown = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) if SHOWN_PARAMETERS.contains(&name) => pair.to_owned(),
            Some((name, _)) => format!("{name}={HIDDEN}"),
            None => HIDDEN.to_owned(),
        });
        let shown = shown.collect::<Vec<_>>().join("&");
        url.set_query(None);
        return format!("{url}?{shown}");
    }
    url.to_string()
}

/// The URL of a webhook: its scheme and host, and whether there is more. A text that is not an `http` URL is shown as it is.
pub fn shown_webhook_url(text: &str) -> String {
    let Some(url) = http_url(text) else { return text.to_owned() };
    let more = if url.path() == "/" && url.query().is_none() { "" } else { HIDDEN };
    format!("{}/{more}", url.origin().ascii_serialization())
}

/// Shows the URLs in an event's payload, or in the JSON of a job, as the functions above do: the URL of the media is the member
/// `url`, or `source_name` of a read model; that of the webhook is `webhook_url`.
pub fn mask_urls(document: &mut Value) {
    match document {
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("url" | "source_name", Value::String(url)) => *url = shown_media_url(url),
                    ("webhook_url", Value::String(url)) => *url = shown_webhook_url(url),
                    (_, member) => mask_urls(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask_urls),
        _ => {}
    }
}

/// The URL without user name, password and fragment.
fn http_url(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    // It has a host, so neither can fail.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gives_access_is_not_shown() {
        for (url, shown) in [
            ("https://www.youtube.com/watch?v=jNQXAC9IVRw&t=4", "https://www.youtube.com/watch?v=jNQXAC9IVRw&t=4"),
            ("https://example.org/talk.mp4", "https://example.org/talk.mp4"),
            (
                "https://s3.example/b/a.mp4?X-Amz-Signature=12ab&X-Amz-Date=2",
                "https://s3.example/b/a.mp4?X-Amz-Signature=…&X-Amz-Date=…",
            ),
            ("https://example.org/a?secret", "https://example.org/a?…"),
            ("https://me:pass@example.org/a#token", "https://example.org/a"),
            ("about:erased", "about:erased"),
        ] {
            assert_eq!(shown_media_url(url), shown);
        }
    }

    #[test]
    fn of_a_webhook_only_the_host_is_shown() {
        for (url, shown) in [
            ("https://hooks.example.org/services/T0/B0/secret?token=a", "https://hooks.example.org/…"),
            ("https://hooks.example.org:8443/?token=a", "https://hooks.example.org:8443/…"),
            ("https://hooks.example.org", "https://hooks.example.org/"),
            ("about:erased", "about:erased"),
        ] {
            assert_eq!(shown_webhook_url(url), shown);
        }
    }

    #[test]
    fn urls_are_masked_wherever_they_are_in_a_document() {
        let mut document = serde_json::json!({
            "source": {"kind": "url", "url": "https://me:pass@example.org/a?key=secret"},
            "webhook_url": "https://hooks.example.org/secret",
            "views": [{"source_name": "talk.mp4"}, {"source_name": "https://example.org/a?key=secret"}],
            "title": "https://example.org/a?key=not-ours",
        });
        mask_urls(&mut document);
        assert_eq!(
            document,
            serde_json::json!({
                "source": {"kind": "url", "url": "https://example.org/a?key=…"},
                "webhook_url": "https://hooks.example.org/…",
                "views": [{"source_name": "talk.mp4"}, {"source_name": "https://example.org/a?key=…"}],
                "title": "https://example.org/a?key=not-ours",
            })
        );
    }
}
