//! What there is at a URL with several media: a page with two videos, a feed, a playlist.

use std::path::Path;

use serde::Deserialize;
use serde_with::{Bytes, serde_as};
use tokio::io::AsyncRead;
use url::Url;
use ytcaption_children::Lines;
use ytcaption_domain::shown_media_url;
use ytcaption_domain::text::{self, MAX_MESSAGE_CHARS};

use super::{DownloadSettings, options, ytdlp};
use crate::egress::EgressProxy;
use crate::steps::error::StepError;

/// Bytes of a line that are kept at most; a longer one cannot be parsed, and is left out.
const LINE_LIMIT: usize = 64 * 1024;
/// Longest title in the list, in characters.
const MAX_TITLE_CHARS: usize = 60;
/// Longest URL in the list, in characters: one that is cut is of no use.
const MAX_URL_CHARS: usize = 300;
/// Room for what is said beside the list, in characters.
const ADVICE_CHARS: usize = 200;

/// One of the media, as an array has it.
#[serde_as]
#[derive(Deserialize)]
struct Entry {
    /// In bytes: a page may have a lone surrogate in its title, and that cannot be a `String`.
    #[serde_as(as = "Option<Bytes>")]
    title: Option<Vec<u8>>,
    /// Where it is, if the page has it from elsewhere.
    url: Option<String>,
    /// Its file, if it is on the page itself.
    file: Option<String>,
}

/// The error that lists what there is at `url`. `count` is how many there are, if yt-dlp knows.
pub(super) async fn several(
    url: &Url,
    count: Option<u64>,
    directory: &Path,
    settings: &DownloadSettings,
    proxy: &EgressProxy,
) -> Result<StepError, StepError> {
    let mut child = ytdlp::spawn(options::listing(url, directory, settings), proxy)?;
    let found = match child.stdout.take() {
        Some(stdout) => entries(stdout).await.map_err(|error| StepError::disk(&error))?,
        None => Vec::new(),
    };
    // What it could list is listed, however it ends.
    child.wait().await.map_err(|error| StepError::disk(&error))?;
    Ok(StepError::permanent("several_media", message(count, &found)))
}

async fn entries(stdout: impl AsyncRead + Unpin) -> std::io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    let mut lines = Lines::new(stdout, LINE_LIMIT);
    while let Some(line) = lines.next_line().await? {
        let entry = line.strip_prefix("E ").and_then(|json| serde_json::from_str(json).ok());
        found.extend(entry.filter(|_| found.len() < options::MAX_LISTED));
    }
    Ok(found)
}

fn message(count: Option<u64>, found: &[Entry]) -> String {
    let count = count.map_or_else(|| "several media".to_owned(), |count| format!("{count} media"));
    let mut message = format!("There are {count} at this URL, not one. Submit the URL of the one that is meant");
    for (number, entry) in (1..).zip(found) {
        let described = format!("{} {number} {}", if number == 1 { ":" } else { ";" }, described(entry));
        if message.chars().count() + described.chars().count() + ADVICE_CHARS > MAX_MESSAGE_CHARS {
            message.push_str("; …");
            break;
        }
        message.push_str(&described);
    }
    message + "."
}

fn described(entry: &Entry) -> String {
    let title = text::clean_bytes(entry.title.as_deref().unwrap_or_default(), MAX_TITLE_CHARS);
    let url = entry.url.as_ref().or(entry.file.as_ref()).and_then(|url| Url::parse(url).ok());
    // Everybody who may see the job reads this. Who submitted the page finds the whole URL there.
    let url = url.map(|url| shown_media_url(url.as_str())).filter(|url| url.chars().count() <= MAX_URL_CHARS);
    let title = (!title.is_empty()).then(|| format!("“{title}”"));
    title.into_iter().chain(url).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_or_strange_list_is_cut() {
        let title = "long \u{1b}[1m\u{202e}".repeat(100);
        let line = format!("E {}\n", serde_json::json!([title, "https://example.org/1", null]));
        let lines = format!("noise\nE [1]\nE [\"\\ud800\",null,null]\n{}", line.repeat(300));
        let found = entries(lines.as_bytes()).await.expect("bytes");
        assert_eq!(found.len(), options::MAX_LISTED);
        let message = message(None, &found);
        assert!(message.chars().count() < MAX_MESSAGE_CHARS && message.ends_with("; …."), "{message}");
        assert!(message.contains("several media") && message.contains("https://example.org/1"), "{message}");
        assert_eq!(text::clean(&message, MAX_MESSAGE_CHARS), message);
    }

    #[tokio::test]
    async fn what_gives_access_to_media_is_not_listed() {
        let line = r#"E ["A talk", "https://user:PASSWORD@example.org/1.mp4?v=1&X-Amz-Signature=SIGNATURE", null]"#;
        let message = message(Some(2), &entries(line.as_bytes()).await.expect("bytes"));
        assert!(message.contains("https://example.org/1.mp4?v=1"), "{message}");
        assert!(!message.contains("SIGNATURE") && !message.contains("PASSWORD"), "{message}");
    }
}
