//! From media to captions: each way to submit, every format, and an event for every step.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use ytcaption_eventstore::RecordedEvent;

use crate::client::{Client, JOBS, events, problem};
use crate::speech::{SENTENCES, assert_transcribed};
use crate::system::System;
use crate::{media_site, speech};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn media_becomes_captions() {
    let system = System::start().await;
    let client = Client::for_system(&system);
    tokio::join!(
        a_page_with_a_video(&client, &system),
        the_url_of_a_video(&client),
        an_upload(&client),
        the_command_line(&client, &system),
        a_cancelled_job(&client, &system),
    );
    the_list(&client).await;
}

async fn a_page_with_a_video(client: &Client, system: &System) {
    let response = client
        .request(Method::POST, JOBS)
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .json(&json!({ "youtube_url": media_site::url("/page"), "language": "auto", "priority": "normal" }))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let accepted: Value = response.json().await.unwrap();
    assert_eq!((&accepted["status"], &accepted["status_url"]), (&json!("pending"), &json!(location)));
    assert!(accepted["created_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().is_ok());
    let id = accepted["job_id"].as_str().unwrap();

    let job = client.completed(id).await;
    assert_eq!((&job["title"], &job["detected_language"]), (&json!(media_site::TITLE), &json!("en")));
    assert_eq!((&job["progress"]["percent"], &job["error"]), (&json!(100), &Value::Null));
    captions_in_every_format(client, id, job["duration_ms"].as_u64().unwrap()).await;
    every_step_is_an_event(&events(system.database_url(), "job", id).await);
    unchanged_responses_are_not_sent_again(client, id).await;
    let refused = client.post(&format!("{JOBS}/{id}/cancel"), &json!({})).await;
    assert_eq!(problem(refused, 409, "job-already-ended").await["job_status"], "completed");
}

async fn captions_in_every_format(client: &Client, id: &str, duration_ms: u64) {
    let result: Value = serde_json::from_str(&client.result(id, "json").await).unwrap();
    assert_eq!((&result["language"], &result["duration_ms"]), (&json!("en"), &json!(duration_ms)));
    let segments = result["segments"].as_array().unwrap();
    let mut before = 0;
    for segment in segments {
        let (start, end) = (segment["start_ms"].as_u64().unwrap(), segment["end_ms"].as_u64().unwrap());
        assert!(before <= start && start < end && end <= duration_ms, "{segment}");
        before = end;
    }
    let texts: Vec<&str> = segments.iter().map(|segment| segment["text"].as_str().unwrap().trim()).collect();
    assert_transcribed(&texts.join(" "));
    assert_transcribed(&client.result(id, "txt").await);
    for format in ["srt", "vtt"] {
        let cues = cues_as_ffmpeg_reads_them(&client.result(id, format).await, format).await;
        assert_transcribed(&cues.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" "));
        // There is silence between the sentences, so each begins a new cue.
        assert!(cues.len() >= SENTENCES.len(), "{cues:?}");
        assert!(cues.is_sorted_by(|(before, _), (after, _)| before < after), "{cues:?}");
    }
}

/// Start (as `mm:ss.fff`, which sorts as text) and text of every cue of a caption file, as ffmpeg reads them.
async fn cues_as_ffmpeg_reads_them(captions: &str, format: &str) -> Vec<(String, String)> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(format!("captions.{format}"));
    std::fs::write(&file, captions).unwrap();
    let mut ffmpeg = tokio::process::Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-xerror", "-i"]).arg(&file).args(["-f", "webvtt", "-"]);
    let read = ffmpeg.output().await.unwrap();
    assert!(read.status.success() && read.stderr.is_empty(), "{}", String::from_utf8_lossy(&read.stderr));
    let text = String::from_utf8(read.stdout).unwrap();
    let cues = text.trim_start_matches("WEBVTT").trim().split("\n\n").map(|cue| cue.split_once('\n').unwrap());
    cues.map(|(times, text)| (times.split_once(" --> ").unwrap().0.to_owned(), text.replace('\n', " "))).collect()
}

fn every_step_is_an_event(events: &[RecordedEvent]) {
    let mut names: Vec<&str> = events.iter().map(|event| event.event_type.as_str()).collect();
    // The number of progress events depends on how fast the media arrives.
    names.retain(|name| *name != "DownloadProgressed");
    let of_one_chunk = [
        "JobCreated",
        "DownloadStarted",
        "AudioDownloaded",
        "ChunksPlanned",
        "ChunkScheduled",
        "ChunkStarted",
        "ChunkTranscribed",
        "JobCompleted",
    ];
    assert_eq!(names, of_one_chunk);
    assert!(events.iter().map(|event| event.sequence).eq(1..=events.len() as u64));

    let id_of = |event: &RecordedEvent| event.metadata.event_id;
    let created = &events[0];
    assert_eq!(created.metadata.context.causation_id, None);
    for event in events {
        let (metadata, payload) = (&event.metadata.context, &event.payload);
        assert_eq!(metadata.correlation_id, created.metadata.context.correlation_id, "{event:?}");
        assert_eq!(metadata.account.to_string(), "local");
        assert!(metadata.traceparent.as_ref().unwrap().starts_with(&format!("00-{TRACE}-")), "{event:?}");
        let (actor, cause) = match event.event_type.as_str() {
            "JobCreated" => ("client:anonymous", None),
            "ChunkStarted" | "ChunkTranscribed" | "JobCompleted" => {
                let scheduled = events.iter().filter(|cause| cause.event_type == "ChunkScheduled");
                let chunk =
                    |cause: &&RecordedEvent| payload["chunk"].is_null() || cause.payload["chunk"] == payload["chunk"];
                ("worker:transcribe@", scheduled.rev().find(chunk))
            }
            _ => ("worker:download@", Some(created)),
        };
        assert!(metadata.actor.to_string().starts_with(actor), "{event:?}");
        assert_eq!(metadata.causation_id, cause.map(id_of), "{event:?}");
    }
}

async fn unchanged_responses_are_not_sent_again(client: &Client, id: &str) {
    for path in [format!("{JOBS}/{id}"), format!("{JOBS}/{id}/result?format=srt")] {
        let tag = client.get(&path).await.headers()["etag"].clone();
        let known = async |tag| client.request(Method::GET, &path).header("if-none-match", tag).send().await.unwrap();
        let same = known(tag).await;
        assert_eq!(same.status(), StatusCode::NOT_MODIFIED, "{path}");
        assert_eq!(same.text().await.unwrap(), "");
        assert_eq!(known("\"1\"".parse().unwrap()).await.status(), StatusCode::OK, "{path}");
    }
}

async fn the_url_of_a_video(client: &Client) {
    let id =
        client.submit(&json!({ "url": media_site::url("/video.mp4"), "language": "en", "priority": "high" })).await;
    client.completed(&id).await;
    assert_transcribed(&client.result(&id, "txt").await);
}

async fn an_upload(client: &Client) {
    let id = client.upload("Três frases.mp4", speech::video().to_vec()).await;
    let job = client.completed(&id).await;
    assert_eq!(job["source"], json!({ "kind": "upload", "name": "Três frases.mp4" }));
    assert_transcribed(&client.result(&id, "txt").await);
}

async fn the_command_line(client: &Client, system: &System) {
    let file = system.scratch().join("talk.mp4");
    std::fs::write(&file, speech::video()).unwrap();
    for format in ["srt", "vtt", "txt", "json"] {
        let submit = system.command(&["submit", file.to_str().unwrap(), "--wait", "--format", format]);
        let output = tokio::process::Command::from(submit).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // Only the captions, so that the output can be redirected into a file.
        let printed = String::from_utf8(output.stdout).unwrap();
        let id = newest_completed(client, "talk.mp4").await;
        assert_eq!(printed, client.result(&id, format).await);
    }
}

/// The newest completed job of that file name. The list is a read model: it may lag behind the stream of the job.
async fn newest_completed(client: &Client, file_name: &str) -> String {
    for _ in 0..200 {
        let newest: Value = client.get(&format!("{JOBS}?status=completed&limit=100")).await.json().await.unwrap();
        let mut jobs = newest["transcriptions"].as_array().unwrap().iter();
        if let Some(job) = jobs.find(|job| job["source"]["name"] == file_name) {
            return job["job_id"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("no completed job of {file_name} is listed after 10 s");
}

async fn a_cancelled_job(client: &Client, system: &System) {
    let id = client.submit_url(&media_site::url("/slow.mp4")).await;
    let result = format!("{JOBS}/{id}/result?format=srt");
    client.downloading(&id).await;
    let early = problem(client.get(&result).await, 409, "job-not-completed").await;
    assert_eq!(early["job_status"], "downloading");

    let (path, reason) = (format!("{JOBS}/{id}/cancel"), json!({ "reason": "the wrong video" }));
    let cancel = || client.post(&path, &reason);
    let accepted: Value = cancel().await.json().await.unwrap();
    assert_eq!((&accepted["job_id"], &accepted["status"]), (&json!(id), &json!("cancelled")));
    assert_eq!(client.ended(&id).await["status"], "cancelled");
    problem(client.get(&result).await, 409, "job-cancelled").await;
    // A second cancellation is accepted and records no second event.
    assert_eq!(cancel().await.status(), StatusCode::OK);
    let events = events(system.database_url(), "job", &id).await;
    let cancelled: Vec<_> = events.iter().filter(|event| event.event_type == "JobCancelled").collect();
    assert_eq!(cancelled.len(), 1);
    assert_eq!(cancelled[0].payload["reason"], "the wrong video");
    assert_eq!(cancelled[0].metadata.context.actor.to_string(), "client:anonymous");
}

async fn the_list(client: &Client) {
    let page = async |query: &str| -> Value {
        let response = client.get(&format!("{JOBS}?{query}")).await;
        assert_eq!(response.status(), StatusCode::OK);
        let linked = response.headers().contains_key("link");
        let page: Value = response.json().await.unwrap();
        assert_eq!(linked, page.get("next_cursor").is_some());
        page
    };
    let ids = |page: &Value| -> Vec<String> {
        page["transcriptions"].as_array().unwrap().iter().map(|job| job["job_id"].to_string()).collect()
    };
    let all = page("limit=100").await;
    let mut walked = Vec::new();
    let mut query = "limit=3".to_owned();
    loop {
        let page = page(&query).await;
        assert!(ids(&page).len() <= 3);
        walked.extend(ids(&page));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("limit=3&cursor={cursor}");
    }
    assert_eq!(walked, ids(&all), "the pages, one after the other, are the whole list");
    assert!(walked.len() >= 8, "{walked:?}");
    let times: Vec<_> =
        all["transcriptions"].as_array().unwrap().iter().map(|job| job["created_at"].to_string()).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "newest first: {times:?}");
    let cancelled = page("status=cancelled").await;
    assert_eq!(ids(&cancelled).len(), 1);
    problem(client.get(&format!("{JOBS}?limit=0&status=lost")).await, 400, "invalid-parameter").await;
}
