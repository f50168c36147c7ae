//! Commands that need no running system.

use std::process::Output;

use crate::system::{model, program};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn all_errors_of_the_settings_are_listed_at_once() {
    let output = program()
        .args(["settings", "show", "--data-dir", "/srv/ytcaption"])
        .env("YTCAPTION_API__LISTEN", "nowhere")
        .env("YTCAPTION_DOWNLOAD__CONCURRENCY", "many")
        .env("YTCAPTION_DOWNLOAD__CONCURENCY", "2")
        .output()
        .unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["3 settings", "api.listen = \"nowhere\"", "from 1 to 64", "YTCAPTION_DOWNLOAD__CONCURENCY"] {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
}

#[test]
fn a_role_says_which_servers_it_needs() {
    for role in [&["serve"][..], &["relay"], &["project"], &["worker", "notify"]] {
        let output = program().args(role).output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("DATABASE_URL and NATS_URL are not set"), "{said}");
    }
}

#[test]
fn up_rejects_a_directory_without_a_model_before_it_starts_anything() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let output =
        program().arg("up").arg("--data-dir").arg(&data).arg("--model").arg(directory.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("is neither a model directory"), "{}", text(&output));
    assert!(!data.exists());
}

#[test]
fn doctor_reports_what_this_machine_has_and_lacks() {
    let directory = tempfile::tempdir().unwrap();
    let doctor = |path: Option<&str>, more: &[&str]| {
        let mut command = program();
        command
            .arg("doctor")
            .args(more)
            .arg("--data-dir")
            .arg(directory.path())
            .env("YTCAPTION_TRANSCRIPTION__MODEL", model());
        if let Some(path) = path {
            command.env("PATH", path);
        }
        command.output().unwrap()
    };
    let healthy = doctor(None, &[]);
    assert_eq!(healthy.status.code(), Some(0), "{}", text(&healthy));
    let bare = doctor(Some("/nowhere"), &[]);
    let said = text(&bare);
    assert_eq!(bare.status.code(), Some(1), "{said}");
    for missing in ["BAD   ffmpeg", "BAD   yt-dlp", "BAD   NATS"] {
        assert!(said.contains(missing), "{missing:?} is not in: {said}");
    }
    let counted: serde_json::Value = serde_json::from_slice(&doctor(Some("/nowhere"), &["--json"]).stdout).unwrap();
    let checks = counted["checks"].as_array().unwrap();
    assert_eq!(checks.iter().find(|check| check["name"] == "ffmpeg").unwrap()["status"], "bad", "{counted:#}");
    assert_eq!(checks.iter().find(|check| check["name"] == "settings").unwrap()["status"], "ok", "{counted:#}");
}

#[test]
fn an_error_is_reported_in_one_sentence() {
    let output = program().args(["transcribe", "/no/such/talk.mp4", "--model"]).arg(model()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output);
    assert_eq!(said.matches("No such file").count(), 1, "{said}");
    assert!(said.contains("/no/such/talk.mp4"), "{said}");
}

#[test]
fn an_unreachable_api_has_an_exit_code_of_its_own() {
    // No service listens on port 9 (discard).
    let output = program().args(["submit", "https://example.org/a", "--api", "http://127.0.0.1:9"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    assert!(text(&output).contains("ytcaption up"));
}
