//! What yt-dlp's complaints mean for the person who submitted the address.

use crate::steps::error::{RetryClass, StepError};

/// A complaint is known by a part of its text. The first that fits counts, so the narrower stand first.
struct Known {
    /// Any of these, as yt-dlp writes them.
    signs: &'static [&'static str],
    retry_class: RetryClass,
    code: &'static str,
    message: &'static str,
}

const fn known(
    signs: &'static [&'static str],
    retry_class: RetryClass,
    code: &'static str,
    message: &'static str,
) -> Known {
    Known { signs, retry_class, code, message }
}

/// Found by provoking each with the real program.
const COMPLAINTS: [Known; 18] = [
    known(
        &["HTTP Error 404", "HTTP Error 410"],
        RetryClass::Permanent,
        "http_404",
        "There is nothing at this address (404 Not Found): check it for typing errors.",
    ),
    known(
        &["HTTP Error 401", "HTTP Error 403"],
        RetryClass::Permanent,
        "http_403",
        "The server refuses to give the recording to this program (403 Forbidden), as many do to keep programs out: \
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
        "The server of the recording has a error of its own (HTTP 5xx).",
    ),
    known(&["HTTP Error 4"], RetryClass::Permanent, "http_4xx", "The server does not accept the address: check it."),
    known(
        &["Failed to resolve", "Name or service not known", "Temporary failure in name resolution", "getaddrinfo"],
        RetryClass::Transient,
        "unresolved_host",
        "The host of the address was not found: check the spelling.",
    ),
    known(
        &["timed out", "Timeout"],
        RetryClass::Transient,
        "timed_out",
        "The server of the recording did not answer in time.",
    ),
    known(
        &["CERTIFICATE_VERIFY_FAILED", "certificate verify failed"],
        RetryClass::Permanent,
        "bad_certificate",
        "The certificate of the server is not valid, so the recording is not fetched: tell its operator.",
    ),
    known(
        &["Unsupported URL", "No video formats found", "no video in this", "There's no video", "No media found"],
        RetryClass::Permanent,
        "no_video",
        "No recording was found on this page: give the address of the recording itself, or of a page that plays it.",
    ),
    known(
        &["Requested format is not available"],
        RetryClass::Permanent,
        "no_video",
        "The recording is not offered by HTTP, only by a protocol that is not fetched from: give the address of a copy \
         that begins with http:// or https://.",
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
        "This is no address that can be fetched: give one that begins with http:// or https://.",
    ),
    known(
        &["Sign in to confirm", "login required", "Private video", "members-only", "only available for registered"],
        RetryClass::Permanent,
        "login_required",
        "The recording can only be seen after signing in: download it yourself and upload the file.",
    ),
    known(
        &["Video unavailable", "has been removed", "not available in your country", "is not available"],
        RetryClass::Permanent,
        "video_unavailable",
        "The site says that the recording is not available, at least not from here.",
    ),
    known(
        &["DRM protected", "DRM protection"],
        RetryClass::Permanent,
        "drm_protected",
        "The recording is copy-protected.",
    ),
    known(
        &["downloaded file is empty", "Did not get any data blocks"],
        RetryClass::Permanent,
        "empty_file",
        "The file at this address is empty (0 bytes): check it.",
    ),
    known(
        &["Giving up after", "IncompleteRead", "bytes read", "more expected"],
        RetryClass::Transient,
        "cut_off",
        "The server broke off in the middle of the recording.",
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
        "The server of the recording could not be reached.",
    ),
    known(
        &["No space left on device"],
        RetryClass::Unavailable,
        "disk_unavailable",
        "The worker's disk is full. It is tried again.",
    ),
];

/// The error behind what yt-dlp wrote on stderr.
pub(super) fn classify(complaints: &str) -> StepError {
    let last = complaints.lines().rfind(|line| line.starts_with("ERROR:")).unwrap_or(complaints).trim();
    tracing::debug!(complaint = last, "yt-dlp failed");
    let fits = |known: &&Known| known.signs.iter().any(|sign| last.contains(sign));
    match COMPLAINTS.iter().find(fits) {
        Some(Known { retry_class: RetryClass::Permanent, code, message, .. }) => StepError::permanent(code, *message),
        Some(Known { retry_class: RetryClass::Transient, code, message, .. }) => StepError::transient(code, *message),
        Some(Known { retry_class: RetryClass::Unavailable, code, message, .. }) => {
            StepError::unavailable(code, *message)
        }
        None => {
            let words: String = last.trim_start_matches("ERROR:").trim().chars().take(200).collect();
            StepError::transient(
                "download_failed",
                format!("The recording could not be fetched; yt-dlp says: {words}."),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_meaning_counts() {
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
            ("ERROR: [Errno 111] Connection refused", "unavailable", RetryClass::Transient),
            ("ERROR: something new", "download_failed", RetryClass::Transient),
            ("", "download_failed", RetryClass::Transient),
        ] {
            let error = classify(text);
            assert_eq!((error.failure.code.as_str(), error.retry_class), (code, retry_class), "{text}");
        }
    }
}
