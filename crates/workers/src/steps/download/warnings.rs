//! What a client must know about its media although the job goes on.

use ytcaption_domain::job::{SILENT_AUDIO, Warning};
use ytcaption_domain::text::{self, MAX_MESSAGE_CHARS};
use ytcaption_media::ConvertedAudio;

/// Warnings about converted audio: part of it is missing, it is silent, or it is one of several tracks.
pub(super) fn of_conversion(audio: &ConvertedAudio) -> Vec<Warning> {
    let warning = |code: &str, message: String| Warning {
        code: code.to_owned(),
        message: text::clean(&message, MAX_MESSAGE_CHARS),
    };
    let mut warnings = Vec::new();
    if audio.tracks > 1 {
        let language = audio.language.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
        let message = format!(
            "The media has {} audio tracks; number {}{language} is transcribed. For another one, submit it again with the \
             language of that track, or send that track alone.",
            audio.tracks, audio.track
        );
        warnings.push(warning("audio_track_chosen", message));
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
