//! What the errors of yt-dlp mean for the client that submitted the URL.

use ytcaption_domain::text::{self, MAX_QUOTE_CHARS};

use crate::steps::error::{RetryClass, StepError};

/// An error is known by a part of its text. The first match counts, so the more specific come first.
struct KnownError {
    /// Any of these, as yt-dlp writes them.
    texts: &'static [&'static str],
    retry_class: RetryClass,
    code: &'static str,
    message: &'static str,
}

const fn known(
    texts: &'static [&'static str],
    retry_class: RetryClass,
    code: &'static str,
    message: &'static str,
) -> KnownError {
    KnownError { texts, retry_class, code, message }
}

const TOO_MUCH_MEMORY: &str = "The page or the media needs more memory or disk than a download may use: send the URL of the \
                               media file itself, or upload it.";

/// Found by provoking each error with the real program.
const KNOWN_ERRORS: [KnownError; 21] = [
    known(
        &["redirect loop detected", "Exceeded 30 redirects"],
        RetryClass::Permanent,
        "redirect_loop",
        "The URL redirects in a circle, or too often: open it in a browser, and send the URL that it leads to.",
    ),
    known(
        &["Initialization fragment found after media fragments"],
        RetryClass::Permanent,
        "unsupported_playlist",
        "The playlist changes its format in the middle, so that its parts cannot be joined: download them yourself and \
         upload them one by one.",
    ),
    known(
        &["HTTP Error 404", "HTTP Error 410"],
        RetryClass::Permanent,
        "http_404",
        "There is nothing at this URL (404 Not Found): check it for typing errors.",
    ),
    known(
        &["HTTP Error 401", "HTTP Error 403"],
        RetryClass::Permanent,
        "http_403",
        "The server refuses to send the media to this program (403 Forbidden), as many do to keep programs out: \
         download it in a browser and upload the file.",
    ),
    known(
        &["HTTP Error 429"],
        RetryClass::Transient,
        "http_429",
        "The server has had too many requests from here (429 Too Many Requests).",
    ),
    known(
        &["HTTP Error 5"],
        RetryClass::Transient,
        "http_5xx",
        "The server of the media has an internal error (HTTP 5xx).",
    ),
    known(&["HTTP Error 4"], RetryClass::Permanent, "http_4xx", "The server does not accept the URL: check it."),
    known(
        &["Failed to resolve", "Name or service not known", "Temporary failure in name resolution", "getaddrinfo"],
        RetryClass::Unresolved,
        "unresolved_host",
        "The host of the URL was not found: check the spelling.",
    ),
    known(
        &["timed out", "Timeout"],
        RetryClass::Transient,
        "timed_out",
        "The server of the media did not answer in time.",
    ),
    known(
        &["CERTIFICATE_VERIFY_FAILED", "certificate verify failed"],
        RetryClass::Permanent,
        "bad_certificate",
        "The certificate of the server is not valid, so the media is not downloaded: contact the operator of the server.",
    ),
    known(
        &["Unsupported URL", "No video formats found", "no video in this", "There's no video", "No media found"],
        RetryClass::Permanent,
        "no_video",
        "No media was found on this page: send the URL of the media file, or of a page that plays it.",
    ),
    known(
        &["Requested format is not available"],
        RetryClass::Permanent,
        "no_video",
        "The media is not offered by HTTP, only by a protocol that is not supported: send the URL of a copy that begins \
         with http:// or https://.",
    ),
    known(
        &[
            "is not a valid URL",
            "disabled by default",
            "unknown url type",
            "Unsupported url scheme",
            "No connection adapters were found",
        ],
        RetryClass::Permanent,
        "invalid_url",
        "This is not a URL that can be downloaded: send one that begins with http:// or https://.",
    ),
    known(
        &["Sign in to confirm", "login required", "Private video", "members-only", "only available for registered"],
        RetryClass::Permanent,
        "login_required",
        "The media is only available after signing in: download it yourself and upload the file.",
    ),
    known(
        &["Video unavailable", "has been removed", "not available in your country", "is not available"],
        RetryClass::Permanent,
        "video_unavailable",
        "The site says that the media is not available, at least not from here.",
    ),
    known(&["DRM protected", "DRM protection"], RetryClass::Permanent, "drm_protected", "The media is copy-protected."),
    known(
        &["downloaded file is empty", "Did not get any data blocks"],
        RetryClass::Permanent,
        "empty_file",
        "The file at this URL is empty (0 bytes): check it.",
    ),
    known(
        &["Giving up after", "IncompleteRead", "bytes read", "more expected"],
        RetryClass::Transient,
        "cut_off",
        "The server closed the connection in the middle of the media.",
    ),
    known(
        &[
            "Connection refused",
            "Connection reset",
            "unreachable",
            "No route to host",
            "Remote end closed",
            "RemoteDisconnected",
        ],
        RetryClass::Transient,
        "unavailable",
        "The server of the media could not be reached.",
    ),
    known(&["MemoryError", "File too large"], RetryClass::Permanent, "too_large", TOO_MUCH_MEMORY),
    known(
        &["No space left on device"],
        RetryClass::Unavailable,
        "disk_unavailable",
        "The worker's disk is full. The step is tried again.",
    ),
];

/// The error that yt-dlp reports on stderr.
pub(super) fn classify(stderr: &str) -> StepError {
    let last = stderr.lines().rfind(|line| line.starts_with("ERROR:")).unwrap_or(stderr).trim();
    tracing::debug!(error = text::clean(last, text::MAX_MESSAGE_CHARS), "yt-dlp failed");
    let matches = |known: &&KnownError| known.texts.iter().any(|text| last.contains(text));
    if let Some(known) = KNOWN_ERRORS.iter().find(matches) {
        return StepError::new(known.retry_class, known.code, known.message);
    }
    // It names no reason: that of a `MemoryError` is empty.
    if last == "ERROR:" {
        return StepError::permanent("too_large", TOO_MUCH_MEMORY);
    }
    let quote = text::without_internals(last.trim_start_matches("ERROR:"));
    let quote = text::clean(&quote, MAX_QUOTE_CHARS);
    let message = format!("The media could not be downloaded; yt-dlp reports: {quote}.");
    StepError::transient("download_failed", message).because(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_specific_meaning_counts() {
        for (text, code, retry_class) in [
            (
                "ERROR: [generic] Unable to download webpage: HTTP Error 404: Not Found",
                "http_404",
                RetryClass::Permanent,
            ),
            ("ERROR: unable to download video data: HTTP Error 403: Forbidden", "http_403", RetryClass::Permanent),
            ("ERROR: HTTP Error 429: Too Many Requests", "http_429", RetryClass::Transient),
            ("ERROR: HTTP Error 503: Service Unavailable", "http_5xx", RetryClass::Transient),
            ("ERROR: HTTP Error 451: Unavailable For Legal Reasons", "http_4xx", RetryClass::Permanent),
            ("WARNING: x\nERROR: Unsupported URL: http://h/", "no_video", RetryClass::Permanent),
            (
                "ERROR: [generic] a: Unable to download webpage: HTTP Error 302: Found (redirect loop detected) (caused by \
                 <HTTPError 302: Found>)",
                "redirect_loop",
                RetryClass::Permanent,
            ),
            ("ERROR: [Errno 111] Connection refused", "unavailable", RetryClass::Transient),
            ("ERROR: something new", "download_failed", RetryClass::Transient),
            ("ERROR: An extractor error has occurred. (caused by MemoryError())", "too_large", RetryClass::Permanent),
            ("Traceback (most recent call last):\nMemoryError", "too_large", RetryClass::Permanent),
            ("WARNING: [generic] Falling back\nERROR: \n\n", "too_large", RetryClass::Permanent),
            ("", "download_failed", RetryClass::Transient),
        ] {
            let error = classify(text);
            assert_eq!((error.failure.code.as_str(), error.retry_class), (code, retry_class), "{text}");
        }
    }

    #[test]
    fn what_only_the_operator_may_know_is_not_repeated() {
        let error = classify(
            "ERROR: Unable to open /srv/yt/work/download-4711-a1/media.part: <Proxy at 0x7f31c0de> 10.1.2.3:80",
        );
        let message = &error.failure.message;
        for internal in ["/srv", "4711", "0x7f31c0de", "10.1.2.3"] {
            assert!(!message.contains(internal), "{message}");
            assert!(error.reason.as_ref().is_some_and(|reason| reason.contains(internal)), "{error:?}");
        }
        assert!(message.contains("Unable to open"), "{message}");
    }
}
