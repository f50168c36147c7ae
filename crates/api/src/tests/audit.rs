use std::collections::BTreeSet;

use serde_json::{Value, json};
use ytcaption_domain::JobId;
use ytcaption_domain::job::JobCommand;
use ytcaption_testing::RawEvent;

use super::{Api, COLLECTION, eventually};

const EVENTS: &str = "/api/v1/audit/events";

/// Two jobs, the first cancelled: three events, which readers of the feed see.
async fn two_jobs(api: &Api) -> [JobId; 2] {
    let jobs = [api.submitted().await, api.submitted().await];
    api.work(jobs[0], JobCommand::Cancel { reason: None }).await;
    eventually("three events are final", async || {
        api.get(EVENTS).await.json()["events"].as_array().is_some_and(|events| events.len() == 3)
    })
    .await;
    jobs
}

fn names(page: &Value) -> Vec<&str> {
    page["events"].as_array().expect("a list").iter().map(|e| e["event_type"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn events_are_found_by_filter_and_page_by_page() {
    let api = Api::new().await;
    let jobs = two_jobs(&api).await;
    let ask = async |query: &str| api.get(&format!("{EVENTS}?{query}")).await.json();
    let created = "JobCreated";
    assert_eq!(names(&ask(&format!("job={}", jobs[0])).await), [created, "JobCancelled"]);
    assert_eq!(names(&ask("actor=worker:&aggregate=job").await), ["JobCancelled"]);
    assert_eq!(names(&ask("type=Nothing").await), [""; 0]);
    assert_eq!(names(&ask("until=2020-01-01T00:00:00Z").await), [""; 0]);
    let first = ask("limit=2").await;
    assert_eq!(names(&first), [created, created]);
    let rest = ask(&format!("limit=2&cursor={}", first["next_cursor"].as_str().expect("a next page"))).await;
    assert_eq!((names(&rest), rest.get("next_cursor")), (vec!["JobCancelled"], None));
}

#[tokio::test]
async fn every_invalid_filter_is_named() {
    let api = Api::new().await;
    let query = "job=1&since=today&until=&correlation=x&cursor=1&limit=501&odd=1";
    let problem = api.get(&format!("{EVENTS}?{query}")).await.problem(400, "invalid-parameter");
    let named: BTreeSet<&str> =
        problem["errors"].as_array().expect("a list").iter().filter_map(|error| error["parameter"].as_str()).collect();
    assert_eq!(named, BTreeSet::from(["job", "since", "until", "correlation", "cursor", "limit", "odd"]));
}

#[tokio::test]
async fn a_value_that_no_text_can_hold_is_the_clients_error_and_not_the_databases() {
    let api = Api::new().await;
    for (query, name) in [
        ("actor=a%00b", "actor"),
        ("type=%0a", "type"),
        ("aggregate=%1b[31m", "aggregate"),
        (&format!("actor={}", "a".repeat(501)), "actor"),
        ("since=%00", "since"),
    ] {
        let problem = api.get(&format!("{EVENTS}?{query}")).await.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["parameter"], name, "{query}");
    }
    let found = api.get(&format!("{EVENTS}?actor=%D8%B9%E2%80%AE%ff")).await;
    assert_eq!(names(&found.json()), [""; 0], "any other text is a filter that finds nothing");
}

#[tokio::test]
async fn an_answer_stays_short_however_many_errors_a_request_has() {
    let api = Api::new().await;
    let query: Vec<String> = (0..5_000).map(|n| format!("odd{n}=1")).collect();
    let answer = api.get(&format!("{EVENTS}?{}", query.join("&"))).await;
    assert!(answer.body.len() < 8_000, "{} bytes", answer.body.len());
    let problem = answer.problem(400, "invalid-parameter");
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(20));
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("5000 errors")), "{problem}");
    let fields: serde_json::Map<String, Value> =
        (0..60).map(|n| (format!("\u{202e}odd\n{n}"), json!(1))).chain([("url".into(), json!("x\u{1b}"))]).collect();
    let problem = api.post(COLLECTION, &Value::Object(fields)).await.problem(422, "invalid-request");
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(20));
    assert!(!problem.to_string().contains('\u{202e}') && !problem.to_string().contains("\\n"), "{problem}");
}

#[tokio::test]
async fn a_job_has_its_events_its_timeline_and_its_history() {
    let api = Api::new().await;
    let job = api.submitted().await;
    api.complete(job, Some("A talk")).await;
    let path = format!("{COLLECTION}/{job}");
    let events = api.get(&format!("{path}/events")).await.json();
    assert_eq!(events.as_array().map(Vec::len), Some(api.events(job).await.len()));
    let timeline = api.get(&format!("{path}/explain")).await.json();
    assert_eq!((&timeline["status"], &timeline["download_attempts"]), (&json!("completed"), &json!(1)));
    let last = timeline["entries"].as_array().and_then(|entries| entries.last()).expect("an end");
    assert!(last["text"].as_str().is_some_and(|text| text.starts_with("completed: 2 segments in en")), "{last}");

    let at = async |moment: &str| api.get(&format!("{path}?at={moment}")).await.json();
    assert_eq!((&at("1").await["status"], &at("2").await["status"]), (&json!("pending"), &json!("downloading")));
    let time = events[1]["recorded_at"].as_str().expect("a time");
    assert_eq!(at(time).await["version"], 2);
    assert_eq!(at(&events.as_array().expect("a list").len().to_string()).await, api.get(&path).await.json());
    let early = api.get(&format!("{path}?at=2020-01-01T00:00:00Z")).await.problem(400, "invalid-parameter");
    assert!(early["detail"].as_str().is_some_and(|text| text.contains("did not exist at 2020")), "{early}");
    for (moment, word) in [("99", "has no version 99"), ("0", "a number from 1"), ("soon", "a number from 1")] {
        let problem = api.get(&format!("{path}?at={moment}")).await.problem(400, "invalid-parameter");
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains(word)), "{problem}");
    }
}

#[tokio::test]
async fn the_past_has_the_members_that_are_described() {
    let api = Api::new().await;
    let job = api.submitted().await;
    api.complete(job, None).await;
    let description: Value = serde_json::from_str(&crate::openapi_json()).expect("JSON");
    let timeline = api.get(&format!("{COLLECTION}/{job}/explain")).await.json();
    let event = api.get(&format!("{COLLECTION}/{job}/events")).await.json()[0].clone();
    let entries = timeline["entries"].as_array().expect("a list");
    let documents = entries.iter().map(|entry| ("TimelineEntry", entry));
    for (schema, document) in documents.chain([("Timeline", &timeline), ("EventDocument", &event)]) {
        let described = &description["components"]["schemas"][schema];
        let given = document.as_object().expect(schema);
        let properties = described["properties"].as_object().expect(schema);
        assert!(given.keys().all(|name| properties.contains_key(name)), "{schema}: {document}");
        let required = described["required"].as_array().expect(schema).iter().filter_map(Value::as_str);
        assert!(required.into_iter().all(|name| given.contains_key(name)), "{schema}: {document}");
    }
}

#[tokio::test]
async fn parked_events_are_listed_page_by_page_with_the_reason() {
    let api = Api::new().await;
    let parked = "/api/v1/audit/parked";
    let none = api.get(parked).await.json();
    assert_eq!(none, json!({"total": 0, "events": []}));
    let job = api.submitted().await;
    let started = json!({"type": "DownloadStarted", "attempt": 1, "worker": "w"});
    for (sequence, event_type, payload) in [(2, "FromTheFuture", json!({})), (3, "DownloadStarted", started)] {
        let metadata = api.events(job).await[0].metadata.to_json();
        let (aggregate_id, event_version) = (job.to_string(), "1");
        RawEvent { aggregate_type: "job", aggregate_id, sequence, event_type, event_version, payload, metadata }
            .insert(api.database.pool())
            .await;
    }
    eventually("both are parked", async || {
        api.projector.catch_up().await.expect("the database answers");
        api.get(parked).await.json()["total"] == 2
    })
    .await;
    let first = api.get(&format!("{parked}?limit=1")).await.json();
    assert_eq!((names(&first), &first["events"][0]["blocked"]), (vec!["FromTheFuture"], &json!(false)));
    assert!(first["events"][0]["error"].as_str().is_some_and(|text| text.contains("newer version")), "{first}");
    let rest = api.get(&format!("{parked}?limit=1&cursor={}", first["next_cursor"].as_str().expect("a page"))).await;
    let rest = rest.json();
    assert_eq!((names(&rest), &rest["events"][0]["blocked"]), (vec!["DownloadStarted"], &json!(true)));
    assert_eq!((rest.get("next_cursor"), &rest["total"]), (None, &json!(2)));

    let description: Value = serde_json::from_str(&crate::openapi_json()).expect("JSON");
    let described = description["components"]["schemas"]["ParkedEvent"]["properties"].as_object();
    let described: BTreeSet<&String> = described.expect("it is described").keys().collect();
    let given: BTreeSet<&String> = first["events"][0].as_object().expect("an event").keys().collect();
    assert_eq!(given, described);
    let problem = api.get(&format!("{parked}?cursor=1-2&limit=0&job={job}")).await.problem(400, "invalid-parameter");
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(3), "{problem}");
}

#[tokio::test]
async fn no_list_shows_what_gives_access_to_media_or_to_a_webhook() {
    let api = Api::new().await;
    let request = json!({
        "url": "https://s3.example/talk.mp4?X-Amz-Signature=presigned-secret",
        "webhook_url": "https://hooks.example/services/webhook-secret?token=token-secret",
    });
    let job = api.post(COLLECTION, &request).await.job_id();
    api.project(job).await;
    let path = format!("{COLLECTION}/{job}");
    eventually("the event is final", async || !names(&api.get(EVENTS).await.json()).is_empty()).await;
    let urls =
        [COLLECTION.to_owned(), path.clone(), format!("{path}/events"), format!("{path}/explain"), EVENTS.to_owned()];
    for url in urls {
        let answer = api.get(&url).await;
        assert!(answer.status.is_success() && !answer.text().contains("secret"), "{url}: {}", answer.text());
    }
    let shown = api.get(&path).await.json();
    assert_eq!(shown["source"]["name"], "https://s3.example/talk.mp4?X-Amz-Signature=…");
    assert_eq!(shown["webhook"]["url"], "https://hooks.example/…");
}
