use axum::http::StatusCode;
use serde_json::json;
use ytcaption_domain::job::JobCommand;

use super::{Api, COLLECTION};

#[tokio::test]
async fn captions_come_in_the_format_requested() {
    let api = Api::new().await;
    let job = api.submitted().await;
    api.complete(job, Some("Über/uns: 100 %")).await;
    let path = format!("{COLLECTION}/{job}/result");
    for (format, content_type, start) in [
        ("txt", "text/plain; charset=utf-8", "Hello there.\n"),
        ("srt", "application/x-subrip; charset=utf-8", "1\n00:00:00,000 --> 00:00:01,500\nHello there.\n"),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT\n"),
        ("json", "application/json", "{"),
        ("tsv", "text/tab-separated-values; charset=utf-8", "start\tend\ttext\n0\t1500\tHello there.\n"),
        ("ass", "text/x-ssa; charset=utf-8", "[Script Info]\n"),
        ("lrc", "application/x-lrc; charset=utf-8", "[00:00.00]Hello there.\n"),
    ] {
        let answer = api.get(&format!("{path}?format={format}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(answer.header("content-type"), content_type);
        assert!(answer.text().starts_with(start), "{}", answer.text());
        assert!(answer.text().contains("Captions – at last!"), "{}", answer.text());
        assert_eq!(
            answer.header("content-disposition"),
            format!(
                "attachment; filename=\"_ber_uns_ 100 _.{format}\"; \
                 filename*=UTF-8''%C3%9Cber_uns_%20100%20%25.{format}"
            )
        );
        let by_header = api.get_with(&path, &[("accept", content_type)]).await;
        assert_eq!(by_header.body, answer.body);
    }
    let json = api.get(&path).await.json();
    assert_eq!((&json["language"], &json["duration_ms"]), (&json!("en"), &json!(4_000)));
    assert_eq!(json["segments"][1]["start_ms"], 2_000);
    let verbose = api.get(&format!("{path}?format=verbose_json")).await;
    assert_eq!(
        (verbose.json()["language"].clone(), verbose.json()["duration"].clone()),
        (json!("english"), json!(4.0))
    );
    assert!(verbose.header("content-disposition").contains(".json\""), "{verbose:?}");
}

#[tokio::test]
async fn cues_are_shaped_as_requested() {
    let api = Api::new().await;
    let job = api.submitted().await;
    api.complete(job, None).await;
    let path = format!("{COLLECTION}/{job}/result?format=srt");
    let default = api.get(&path).await;
    let words = api.get(&format!("{path}&max_words_per_line=1&max_line_count=1&min_cue_duration_ms=0")).await;
    assert!(default.text().contains("\nHello there.\n"), "{}", default.text());
    assert!(words.text().contains("\nHello\n\n2\n"), "{}", words.text());
    assert_ne!(default.header("etag"), words.header("etag"));
    for (parameter, value, expected) in [
        ("max_line_width", "7", "from 8 to 200"),
        ("max_line_count", "two", "from 1 to 4"),
        ("max_cue_duration_ms", "-1", "from 5000 to 60000"),
        ("highlight_words", "yes", "neither `true` nor `false`"),
        ("highlight_words", "true", "choose one of vtt, ass, lrc"),
        ("format=vtt&highlight_words", "true", "word_timestamps"),
    ] {
        let path = if parameter.contains("format") {
            path.replace("format=srt&", "").replace("?format=srt", "?")
        } else {
            format!("{path}&")
        };
        let problem = api.get(&format!("{path}{parameter}={value}")).await.problem(400, "invalid-parameter");
        assert!(problem["errors"][0]["detail"].as_str().is_some_and(|text| text.contains(expected)), "{problem}");
    }
}

#[tokio::test]
async fn captions_that_the_client_has_are_not_sent_again() {
    let api = Api::new().await;
    let job = api.submitted().await;
    api.complete(job, None).await;
    let path = format!("{COLLECTION}/{job}/result");
    let srt = api.get(&format!("{path}?format=srt")).await;
    let tag = [("if-none-match", srt.header("etag"))];
    let again = api.get_with(&format!("{path}?format=srt"), &tag).await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let vtt = api.get_with(&format!("{path}?format=vtt"), &tag).await;
    assert_eq!(vtt.status, StatusCode::OK);
    assert!(srt.header("content-disposition").contains(&job.to_string()), "no title: the id names the file");
}

#[tokio::test]
async fn an_unknown_format_is_refused() {
    let api = Api::new().await;
    let job = api.submitted().await;
    let path = format!("{COLLECTION}/{job}/result");
    let problem = api.get(&format!("{path}?format=docx")).await.problem(400, "invalid-parameter");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("txt, srt, vtt, json")), "{problem}");
    api.get_with(&path, &[("accept", "image/png")]).await.problem(406, "not-acceptable");
}

#[tokio::test]
async fn before_the_end_the_answer_is_the_status() {
    let api = Api::new().await;
    let job = api.submitted().await;
    let path = format!("{COLLECTION}/{job}/result?format=srt");
    assert_eq!(api.get(&path).await.problem(409, "job-not-completed")["job_status"], "pending");
    api.work(job, JobCommand::StartDownload { worker: "w".into() }).await;
    api.project(job).await;
    let problem = api.get(&path).await.problem(409, "job-not-completed");
    assert_eq!(problem["job_status"], "downloading");
    assert_eq!(problem["status_url"], format!("{COLLECTION}/{job}"));
}

#[tokio::test]
async fn the_answer_for_a_failed_job_says_why() {
    let api = Api::new().await;
    let job = api.submitted().await;
    api.fail(job, "no_audio_track", "The video has no audio track.").await;
    let problem = api.get(&format!("{COLLECTION}/{job}/result")).await.problem(409, "job-failed");
    assert_eq!(problem["job_status"], "failed");
    assert_eq!(
        problem["job_error"],
        json!({"step": "download", "code": "no_audio_track", "message": "The video has no audio track."})
    );
}

#[tokio::test]
async fn captions_are_shown_as_they_were_and_a_job_that_was_not_completed_says_so() {
    let api = Api::new().await;
    let job = api.submitted().await;
    api.complete(job, None).await;
    let events = api.events(job).await;
    let path = format!("{COLLECTION}/{job}/result?format=srt");
    let now = api.get(&path).await;
    for moment in [events.len().to_string(), "2999-01-01T00:00:00Z".to_owned()] {
        let then = api.get(&format!("{path}&at={moment}")).await;
        assert_eq!((then.status, &then.body, then.header("etag")), (StatusCode::OK, &now.body, now.header("etag")));
    }
    for (moment, status) in [("1", "pending"), ("2", "downloading"), ("3", "transcribing")] {
        let problem = api.get(&format!("{path}&at={moment}")).await.problem(409, "job-not-completed");
        assert_eq!(problem["job_status"], status);
        assert!(problem["detail"].as_str().is_some_and(|text| text.starts_with("At ")), "{problem}");
    }
    for moment in ["999", "2020-01-01T00:00:00Z", "soon", "0"] {
        let problem = api.get(&format!("{path}&at={moment}")).await.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["parameter"], "at");
    }
    let failed = api.submitted().await;
    api.fail(failed, "no_audio_track", "The video has no audio track.").await;
    let path = format!("{COLLECTION}/{failed}/result");
    assert_eq!(api.get(&format!("{path}?at=2")).await.problem(409, "job-not-completed")["job_status"], "downloading");
    api.get(&format!("{path}?at={}", api.events(failed).await.len())).await.problem(409, "job-failed");
}
