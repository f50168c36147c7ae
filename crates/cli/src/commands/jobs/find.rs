//! Finds the job that a person means, and describes jobs to people.

use anyhow::anyhow;
use serde_json::Value;
use uuid::Uuid;

use super::super::api::Failure;
use super::super::client::Client;

/// Jobs that are searched for a name: the newest.
const SEARCHED: usize = 500;
/// Jobs that are listed if several match.
const LISTED: usize = 10;

/// The id of the job: `wanted` itself, or that of the one job whose media it names.
pub(super) async fn id(client: &Client, wanted: &str) -> Result<Uuid, Failure> {
    if let Ok(id) = wanted.parse() {
        return Ok(id);
    }
    let jobs = client.jobs(None, SEARCHED).await?;
    let named: Vec<&Value> = jobs.iter().filter(|job| names(job).any(|name| name == wanted)).collect();
    let word = wanted.to_lowercase();
    let like = || jobs.iter().filter(|job| names(job).any(|name| name.to_lowercase().contains(&word))).collect();
    let found: Vec<&Value> = if named.is_empty() { like() } else { named };
    match found[..] {
        [job] => Ok(job["job_id"].as_str().and_then(|id| id.parse().ok()).ok_or_else(|| anyhow!("a job has no id"))?),
        [] => Err(anyhow!(
            "none of the newest {} jobs is called {wanted:?}; `ytcaption jobs list` shows them",
            jobs.len()
        )
        .into()),
        ref several => {
            let lines: Vec<String> = several.iter().take(LISTED).map(|job| line(job)).collect();
            Err(anyhow!("{} jobs match {wanted:?}; name one by its id:\n{}", several.len(), lines.join("\n")).into())
        }
    }
}

/// What the media of a job is called.
fn names(job: &Value) -> impl Iterator<Item = &str> {
    [&job["title"], &job["source"]["name"]].into_iter().filter_map(Value::as_str)
}

/// A job on one line: id, status, when it was created, and its media.
pub(super) fn line(job: &Value) -> String {
    let text = |member: &str| job[member].as_str().unwrap_or_default().to_owned();
    let created = text("created_at");
    let percent = job["progress"]["percent"].as_u64().unwrap_or_default();
    let status = match text("status") {
        status if ["downloading", "transcribing"].contains(&status.as_str()) => format!("{status} {percent} %"),
        status => status,
    };
    let name = names(job).next().unwrap_or_default();
    format!("{}  {status:<17}  {}  {}", text("job_id"), created.get(..16).unwrap_or(&created), printable(name))
}

/// A job on a few lines, for people.
pub(super) fn details(job: &Value) -> Vec<String> {
    let mut lines = vec![line(job)];
    let error = &job["error"];
    let failure =
        error["message"].as_str().map(|message| format!("{message} ({})", error["code"].as_str().unwrap_or("")));
    for (name, value) in [
        ("source", job["source"]["name"].as_str().map(str::to_owned)),
        ("language", job["detected_language"].as_str().map(str::to_owned)),
        ("model", job["model"].as_str().map(str::to_owned)),
        ("warning", job["warning"].as_str().map(str::to_owned)),
        ("error", failure),
        ("next attempt", job["retry_at"].as_str().map(str::to_owned)),
        ("ended", job["ended_at"].as_str().map(str::to_owned)),
        ("repeats", job["retry_of"].as_str().map(str::to_owned)),
    ] {
        if let Some(value) = value {
            lines.push(format!("  {name:<13} {}", printable(&value)));
        }
    }
    lines
}

/// Titles and names come from outside: nothing in them may control a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_what_it_is_and_how_far() {
        let job = json!({
            "job_id": "0199a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f", "status": "transcribing", "title": "A \u{1b}[31mtalk",
            "progress": { "percent": 40 }, "created_at": "2026-01-02T03:04:05.678Z", "source": { "name": "talk.mp4" },
        });
        assert_eq!(
            line(&job),
            "0199a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f  transcribing 40 %  2026-01-02T03:04  A  [31mtalk"
        );
        assert_eq!(details(&job)[1], "  source        talk.mp4");
    }
}
