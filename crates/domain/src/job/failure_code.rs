//! Every code that a failure or a warning of a job may have, with what to do about it: the one list from which the API's
//! description, its page `/problems` and `docs/errors.md` are written.

/// A code of a failure or a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureCode {
    /// The stable word for programs; never changes once published.
    pub code: &'static str,
    /// What has happened.
    pub meaning: &'static str,
    /// What the person who submitted the job, or the operator, does about it.
    pub action: &'static str,
}

const fn code(code: &'static str, meaning: &'static str, action: &'static str) -> FailureCode {
    FailureCode { code, meaning, action }
}

/// What to do where nothing but another attempt helps, which the system makes by itself.
const RETRIED: &str = "The step is tried again by itself; nothing needs to be done.";
const RETRY_LATER: &str = "It is tried again a few times by itself; if the job fails all the same, retry it later.";

/// All codes, in the order of the alphabet.
pub const FAILURE_CODES: &[FailureCode] = &[
    code(
        "audio_corrupt",
        "The audio of the job could not be read back whole from the storage.",
        "Submit the media again.",
    ),
    code(
        "audio_missing",
        "The audio of the job is no longer in the storage.",
        "Submit the media again. If it happens to every job, the workers do not share their storage: contact the operator.",
    ),
    code(
        "audio_track_chosen",
        "A warning: the media has several audio tracks, and the message says which one is transcribed.",
        "Submit it again with the number of another track as `audio_track`, or with its language.",
    ),
    code(
        "bad_certificate",
        "The TLS certificate of the media's server is not valid.",
        "Contact the operator of that server, or upload the file.",
    ),
    code("cannot_translate", "The model cannot translate.", "Request a multilingual model, or the task `transcribe`."),
    code("cut_off", "The server of the media closed the connection too early.", RETRY_LATER),
    code(
        "disk_unavailable",
        "The worker could not use its disk, or the disk is full.",
        "The step is tried again by itself; the operator makes room or repairs the disk.",
    ),
    code(
        "download_failed",
        "yt-dlp reports an error that is none of the others; the message repeats it.",
        "It is tried again a few times by itself; then download the media yourself and upload the file.",
    ),
    code("drm_protected", "The media is copy-protected.", "Submit a copy without protection."),
    code("empty_audio", "The audio track has a length of zero.", "Check the file."),
    code("empty_file", "The file has no bytes.", "Check the file, or the URL, and submit it again."),
    code(
        "http_403",
        "The server of the media refuses to send it to this program.",
        "Download it in a browser and upload the file.",
    ),
    code("http_404", "There is nothing at the URL.", "Check the URL for typing errors."),
    code("http_429", "The server of the media has had too many requests from here.", RETRY_LATER),
    code("http_4xx", "The server of the media does not accept the URL.", "Check the URL."),
    code("http_5xx", "The server of the media has an internal error.", RETRY_LATER),
    code(
        "invalid_option",
        "An option of the request or of the worker is not valid.",
        "Correct the option that the message names.",
    ),
    code("invalid_url", "The URL cannot be downloaded.", "Send a URL that begins with `http://` or `https://`."),
    code("live_broadcast", "The media is a live broadcast.", "Submit the finished video when the broadcast is over."),
    code(
        "login_required",
        "The media is only available after signing in.",
        "Download it yourself and upload the file.",
    ),
    code(
        "model_unusable",
        "The files of the model are corrupt, or it needs more memory than the worker has.",
        "Request another model; the operator finds the reason in the worker's log.",
    ),
    code("no_audio_track", "The media has no sound.", "Submit media with an audio track."),
    code(
        "no_video",
        "No media was found on the page, or none that is offered by HTTP.",
        "Send the URL of the media file, or of a page that plays it.",
    ),
    code(
        "no_words",
        "A warning: no words were recognised in the audio, although it is not silent.",
        "If somebody speaks, submit it again with the language of the speech, or with another model.",
    ),
    code(
        "not_media",
        "The file is not audio or video that can be read.",
        "Submit a file that plays in a media player, or its URL.",
    ),
    code(
        "private_address",
        "The URL leads to an address that is not on the public Internet.",
        "Submit a public URL or upload the file; the operator may permit a network in the setting `network.allow`.",
    ),
    code(
        "redirect_loop",
        "The URL redirects in a circle, or too often.",
        "Send the URL that it leads to in a browser.",
    ),
    code(
        "result_rejected",
        "The result of the worker does not fit the job: an error of YTCaption.",
        "Report it with the id of the job.",
    ),
    code(
        "several_media",
        "There are several media at the URL: a page with two videos, a feed or a playlist.",
        "Submit the URL of one of them; the message lists them.",
    ),
    code("silent_audio", "A warning: the audio is silent.", "Check the file."),
    code(
        "storage_refused",
        "The storage refuses what the worker stores: an error of YTCaption.",
        "Report it with the id of the job.",
    ),
    code("storage_unavailable", "The storage does not answer.", RETRIED),
    code("store_unavailable", "The database does not answer.", RETRIED),
    code("timed_out", "The server of the media did not answer in time, or the download took too long.", RETRY_LATER),
    code(
        "too_large",
        "The media has more bytes than permitted.",
        "Submit a smaller file; the operator may raise the limit.",
    ),
    code("too_long", "The media is longer than permitted.", "Submit a part of it; the operator may raise the limit."),
    code(
        "tool_failed",
        "ffmpeg was killed, or the machine was short of memory or disk space.",
        "It is tried again a few times by itself; if the job fails all the same, the operator finds the reason on the machine.",
    ),
    code(
        "tool_missing",
        "A program that the worker needs is not installed.",
        "The operator installs it; `ytcaption doctor` says which. Then retry the job.",
    ),
    code(
        "transcription_failed",
        "The speech model failed.",
        "It is tried again a few times by itself; if the job fails all the same, report it with the id of the job.",
    ),
    code(
        "truncated_media",
        "The media is truncated or corrupt. As a warning: what can be decoded of it is transcribed.",
        "Submit it again from the original.",
    ),
    code("unavailable", "The server of the media could not be reached.", RETRY_LATER),
    code(
        "unknown_audio_track",
        "The media has no audio track with the requested number.",
        "Request one that the message lists, or leave out `audio_track`.",
    ),
    code(
        "unknown_language",
        "The model does not know the requested language.",
        "Request one that the message names, or `auto`.",
    ),
    code(
        "unknown_model",
        "No worker has the requested model.",
        "Request one that the message names; `GET /api/v1/models` lists them.",
    ),
    code(
        "unresolved_host",
        "The host name of the URL was not found.",
        "Check its spelling. It is tried again for some minutes by itself, in case the name service is down.",
    ),
    code(
        "unsupported_playlist",
        "The playlist changes its format in the middle, so that its parts cannot be joined.",
        "Download the parts yourself and upload them one by one.",
    ),
    code("upload_corrupt", "The uploaded file is corrupt in the storage.", "Upload it again."),
    code("upload_missing", "The uploaded file is no longer in the storage.", "Upload it again."),
    code(
        "video_unavailable",
        "The site says that the media is not available from here.",
        "Download it yourself and upload the file.",
    ),
    code(
        "worker_lost",
        "The worker's process died each time while it was working on the media.",
        "The operator finds the reason in its log: too little memory, or a model that crashes. Then retry the job.",
    ),
    code("worker_stopped", "The worker was stopped before it had finished.", RETRIED),
];

/// The list as a Markdown table.
pub fn failure_codes_table() -> String {
    let row = |known: &FailureCode| format!("| `{}` | {} | {} |\n", known.code, known.meaning, known.action);
    let rows: String = FAILURE_CODES.iter().map(row).collect();
    format!("| code | what has happened | what to do |\n|---|---|---|\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_listed_once_in_the_order_of_the_alphabet() {
        assert!(FAILURE_CODES.is_sorted_by(|a, b| a.code < b.code));
        assert_eq!(failure_codes_table().lines().count(), FAILURE_CODES.len() + 2);
    }
}
