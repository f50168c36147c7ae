//! Captions as they come, until the job ends.

use std::pin::pin;

use anyhow::Context as _;
use futures::StreamExt as _;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::time::Instant;

use super::super::client::{Client, JobAccepted};
use super::{ABSENCE_TIMEOUT, Bar, Failure, POLL};

const MS_PER_SECOND: u64 = 1000;

/// What is used of the data of any event.
#[derive(Default, Deserialize)]
#[serde(default)]
struct News {
    status: String,
    percent: u64,
    segments: Segments,
    code: String,
    message: String,
}

/// `captions` brings segments, `completed` their number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Segments {
    Text(Vec<Segment>),
    Other(IgnoredAny),
}

impl Default for Segments {
    fn default() -> Self {
        Self::Other(IgnoredAny)
    }
}

#[derive(Deserialize)]
struct Segment {
    start_ms: u64,
    text: String,
}

/// Prints every caption once, in order. A stream that breaks is taken up again where it broke, also when the API was
/// away for a while.
pub(super) async fn print_captions(client: &Client, accepted: &JobAccepted, bar: &Bar) -> Result<(), Failure> {
    let mut last_id = String::new();
    let mut silent_since: Option<Instant> = None;
    loop {
        let before = last_id.clone();
        match listen(client, accepted, &mut last_id, bar).await {
            Ok(true) => return Ok(()),
            Err(Failure::NoAnswer(error)) if last_id == before => {
                let since = *silent_since.get_or_insert_with(Instant::now);
                if since.elapsed() > ABSENCE_TIMEOUT {
                    return Err(Failure::NoAnswer(error));
                }
                bar.step("no answer");
            }
            Ok(false) | Err(Failure::NoAnswer(_)) => silent_since = None,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Returns whether the stream reported the end of the job; else it ended before.
async fn listen(client: &Client, accepted: &JobAccepted, last_id: &mut String, bar: &Bar) -> Result<bool, Failure> {
    let Some(events) = client.events(&accepted.path(), last_id).await? else { return Ok(true) };
    let mut events = pin!(events);
    while let Some(event) = events.next().await {
        let event = event?;
        let news: News = serde_json::from_str(&event.data)
            .with_context(|| format!("the API sent an event `{}` that cannot be read", event.event))
            .map_err(Failure::Other)?;
        match event.event.as_str() {
            "status" => bar.step(&news.status),
            "progress" => bar.set(news.percent, 100),
            "warning" => bar.warn(&news.message),
            "captions" => print(bar, &news.segments)?,
            "attempt_failed" => bar.step("trying again"),
            "completed" => return Ok(true),
            "failed" => return Err(Failure::Job(format!("the job failed: {} ({})", news.message, news.code))),
            "cancelled" => return Err(Failure::Job("the job was cancelled".to_owned())),
            // A newer server may send more.
            _ => {}
        }
        *last_id = event.id;
    }
    Ok(false)
}

fn print(bar: &Bar, segments: &Segments) -> Result<(), Failure> {
    let Segments::Text(segments) = segments else { return Ok(()) };
    for segment in segments {
        bar.print(&format!("{}  {}", clock(segment.start_ms), segment.text)).map_err(|e| Failure::Other(e.into()))?;
    }
    Ok(())
}

/// `1:02:03.456`
fn clock(ms: u64) -> String {
    let (seconds, ms) = (ms / MS_PER_SECOND, ms % MS_PER_SECOND);
    format!("{}:{:02}:{:02}.{ms:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_event_is_read() {
        let read = |data: &str| serde_json::from_str::<News>(data).expect("an event");
        let captions = read(r#"{"chunk":0,"language":"en","segments":[{"start_ms":3723456,"end_ms":1,"text":"Hi."}]}"#);
        let Segments::Text(segments) = captions.segments else { panic!("text") };
        assert_eq!((clock(segments[0].start_ms).as_str(), segments[0].text.as_str()), ("1:02:03.456", "Hi."));
        assert!(matches!(read(r#"{"language":"en","segments":7}"#).segments, Segments::Other(_)));
        assert_eq!(read(r#"{"step":"download","percent":40}"#).percent, 40);
    }
}
