use std::collections::HashSet;

use serde_json::{Value, json};
use ytcaption_domain::JobId;

use super::{Api, COLLECTION};

fn ids(page: &Value) -> Vec<String> {
    let jobs = page["transcriptions"].as_array().expect("a list").iter();
    jobs.map(|job| job["job_id"].as_str().expect("an id").to_owned()).collect()
}

async fn seven_jobs(api: &Api) -> Vec<JobId> {
    let mut jobs = vec![];
    for _ in 0..7 {
        jobs.push(api.submitted().await);
    }
    for job in &jobs {
        api.project(*job).await;
    }
    jobs
}

#[tokio::test]
async fn pages_show_every_job_once_newest_first() {
    let api = Api::new().await;
    let jobs = seven_jobs(&api).await;
    let mut seen = vec![];
    let mut path = format!("{COLLECTION}?limit=3");
    loop {
        let answer = api.get(&path).await;
        seen.extend(ids(&answer.json()));
        let link = answer.header("link");
        assert_eq!(answer.json()["next_cursor"].is_string(), !link.is_empty());
        let Some(next) = link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\"")) else { break };
        path = next.to_owned();
        // A job that comes in between moves no other.
        if seen.len() == 3 {
            let late = api.submitted().await;
            api.project(late).await;
        }
    }
    let newest_first: Vec<String> = jobs.iter().rev().map(ToString::to_string).collect();
    assert_eq!(seen, newest_first);
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 7);
}

#[tokio::test]
async fn a_status_narrows_the_list() {
    let api = Api::new().await;
    let jobs = seven_jobs(&api).await;
    api.fail(jobs[2], "gone", "The video is gone.").await;
    assert_eq!(ids(&api.get(&format!("{COLLECTION}?status=failed")).await.json()), [jobs[2].to_string()]);
    assert_eq!(ids(&api.get(&format!("{COLLECTION}?status=pending")).await.json()).len(), 6);
    assert_eq!(ids(&api.get(&format!("{COLLECTION}?status=completed")).await.json()).len(), 0);
    let page = api.get(&format!("{COLLECTION}?status=pending&limit=4")).await;
    assert!(page.header("link").contains("status=pending&limit=4"), "{page:?}");
}

#[tokio::test]
async fn every_invalid_parameter_is_named() {
    let api = Api::new().await;
    let answer = api.get(&format!("{COLLECTION}?status=done&limit=0&cursor=x&page=2")).await;
    let problem = answer.problem(400, "invalid-parameter");
    let names: Vec<_> = problem["errors"].as_array().expect("errors").iter().map(|error| &error["parameter"]).collect();
    assert_eq!(names, [&json!("status"), &json!("cursor"), &json!("limit"), &json!("page")]);
    for limit in ["101", "-1", "many", ""] {
        api.get(&format!("{COLLECTION}?limit={limit}")).await.problem(400, "invalid-parameter");
    }
}
