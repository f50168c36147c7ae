//! What a client must know about its media although the job goes on.

use ytcaption_domain::job::{SILENT_AUDIO, Warning};
use ytcaption_domain::text::{self, MAX_MESSAGE_CHARS};
use ytcaption_media::{ConvertedAudio, TrackChoice};

/// Warnings about converted audio: part of it is missing, it is silent, or it is one of several tracks and the client has not
/// said which.
pub(super) fn of_conversion(audio: &ConvertedAudio, requested: TrackChoice<'_>) -> Vec<Warning> {
    let warning = |code: &str, message: String| Warning {
        code: code.to_owned(),
        message: text::clean(&message, MAX_MESSAGE_CHARS),
    };
    let mut warnings = Vec::new();
    if let Some(notice) = audio.track.notice().filter(|_| requested.number.is_none()) {
        let advice = "For another one, submit it again with its number as `audio_track`, or with its language.";
        warnings.push(warning("audio_track_chosen", format!("{notice}. {advice}")));
    }
    if !audio.is_audible() {
        let message = "The audio is silent, so that there is nothing to transcribe: check the file.";
        warnings.push(warning(SILENT_AUDIO, message.to_owned()));
    }
    if let Some(detail) = &audio.truncation {
        let message = format!(
            "The media is truncated or corrupt: {}. What can be decoded of it is transcribed; for the rest, submit it again \
             from the original.",
            detail.trim_end_matches('.')
        );
        warnings.push(warning("truncated_media", message));
    }
    warnings
}
