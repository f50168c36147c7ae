//! `ytcaption jobs`: what was submitted is listed, shown, fetched, cancelled and done once more, by id or by name.

use std::process::Output;

use serde_json::Value;

use crate::client::Client;
use crate::media_site;
use crate::speech;
use crate::stalled_site::StalledSite;
use crate::system::System;

#[tokio::test]
async fn jobs_are_found_by_name_and_handled_from_the_command_line() {
    let system = System::start().await;
    let (client, stalled) = (Client::for_system(&system), StalledSite::start().await);
    let files: Vec<String> = ["lecture one.mp4", "lecture two.mp4"]
        .map(|name| {
            let file = system.scratch().join(name);
            std::fs::write(&file, speech::video()).unwrap();
            file.to_str().unwrap().to_owned()
        })
        .to_vec();
    let submitted = stdout(&system, &["submit", &files[0], &files[1]]).await;
    let ids: Vec<&str> = submitted.lines().map(|url| url.rsplit('/').next().unwrap()).collect();
    assert_eq!(ids.len(), 2, "{submitted}");
    for id in &ids {
        client.completed(id).await;
    }

    let listed: Value = serde_json::from_str(&stdout(&system, &["jobs", "list", "--json"]).await).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert!(stdout(&system, &["jobs", "list", "--status", "failed"]).await.is_empty());
    assert!(stdout(&system, &["jobs", "show", "lecture two.mp4"]).await.starts_with(ids[1]));
    for format in ["vtt", "srt"] {
        let captions = stdout(&system, &["jobs", "result", "ONE", "--format", format]).await;
        assert_eq!(captions, client.result(ids[0], format).await);
    }
    let ambiguous = run(&system, &["jobs", "result", "lecture"]).await;
    let said = String::from_utf8(ambiguous.stderr).unwrap();
    assert!(ambiguous.status.code() == Some(1) && said.contains("2 jobs match") && said.contains(ids[0]), "{said}");
    let refused = run(&system, &["jobs", "retry", "lecture one.mp4"]).await;
    assert!(String::from_utf8(refused.stderr).unwrap().contains("only a job that failed or was cancelled"));

    let url = stalled.video_url("a");
    let stuck = client.submit_url(&url).await;
    let cancelled = stdout(&system, &["jobs", "cancel", &url, "--reason", "wrong video"]).await;
    assert!(cancelled.contains("is cancelled"), "{cancelled}");
    stalled.release();
    let again = stdout(&system, &["jobs", "retry", &stuck]).await;
    let again = client.completed(again.trim().rsplit('/').next().unwrap()).await;
    assert_eq!(again["retry_of"], stuck);
    let missing = run(&system, &["jobs", "show", "no such talk"]).await;
    assert!(String::from_utf8(missing.stderr).unwrap().contains("is called \"no such talk\""));

    let media = media_site::url("/video.mp4");
    let waiting = run(&system, &["submit", &media, &media, "--wait"]).await;
    assert!(String::from_utf8(waiting.stderr).unwrap().contains("for one URL or file"));
}

async fn stdout(system: &System, arguments: &[&str]) -> String {
    let output = run(system, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn run(system: &System, arguments: &[&str]) -> Output {
    tokio::process::Command::from(system.command(arguments)).output().await.unwrap()
}
