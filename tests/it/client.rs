//! A client of the API, and a look into the event store behind it.

use std::time::{Duration, Instant};

use reqwest::multipart::{Form, Part};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use ytcaption_eventstore::{Database, DatabaseSettings, RecordedEvent, read_stream};

use crate::system::System;

/// How long a job of a few seconds may take while others run beside it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(100);
/// Where jobs are submitted and listed.
pub(crate) const JOBS: &str = "/api/v1/transcriptions";

/// A client of one API.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    api: String,
}

impl Client {
    /// A client of a system.
    pub(crate) fn of(system: &System) -> Self {
        Self::at(&system.url(""))
    }

    /// A client of the API at this address.
    pub(crate) fn at(api: &str) -> Self {
        Self { http: reqwest::Client::new(), api: api.to_owned() }
    }

    /// A request to a path, for what the functions below do not do.
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.api))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(reqwest::Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(reqwest::Method::POST, path).json(body).send().await.unwrap()
    }

    /// Submits a job that must be accepted; returns its id.
    pub(crate) async fn submit(&self, job: &Value) -> String {
        accepted(self.post(JOBS, job).await).await
    }

    /// Submits the address of a recording.
    pub(crate) async fn submit_url(&self, url: &str) -> String {
        self.submit(&json!({ "url": url })).await
    }

    /// Uploads a recording.
    pub(crate) async fn upload(&self, name: &str, content: Vec<u8>) -> String {
        self.upload_with(Form::new(), name, content).await
    }

    /// Uploads a recording with these fields before it.
    pub(crate) async fn upload_with(&self, fields: Form, name: &str, content: Vec<u8>) -> String {
        let form = fields.part("file", Part::bytes(content).file_name(name.to_owned()));
        accepted(self.request(reqwest::Method::POST, JOBS).multipart(form).send().await.unwrap()).await
    }

    /// A job as the API shows it; none before the read model has it.
    pub(crate) async fn job(&self, id: &str) -> Option<Value> {
        let answer = self.get(&format!("{JOBS}/{id}")).await;
        if answer.status() == StatusCode::NOT_FOUND {
            return None;
        }
        assert_eq!(answer.status(), StatusCode::OK);
        Some(answer.json().await.unwrap())
    }

    /// Waits until the job is as wanted.
    pub(crate) async fn wait_until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let job = self.job(id).await;
            if let Some(job) = job.as_ref().filter(|job| wanted(job)) {
                return job.clone();
            }
            assert!(Instant::now() < deadline, "waited in vain; the job is {job:#?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the job is completed, failed or cancelled.
    pub(crate) async fn ended(&self, id: &str) -> Value {
        self.wait_until(id, |job| ["completed", "failed", "cancelled"].iter().any(|end| job["status"] == *end)).await
    }

    /// Waits until the job is being downloaded, by the list: a job that is not in it yet is shown by its events, which
    /// may be ahead.
    pub(crate) async fn downloading(&self, id: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let page: Value = self.get(&format!("{JOBS}?status=downloading&limit=100")).await.json().await.unwrap();
            if page["transcriptions"].as_array().unwrap().iter().any(|job| job["job_id"] == id) {
                return;
            }
            assert!(Instant::now() < deadline, "the job is never downloaded; it is {:#?}", self.job(id).await);
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the job has ended; it must be completed.
    pub(crate) async fn completed(&self, id: &str) -> Value {
        let job = self.ended(id).await;
        assert_eq!(job["status"], "completed", "{job:#}");
        job
    }

    /// The captions of a completed job.
    pub(crate) async fn result(&self, id: &str, format: &str) -> String {
        let answer = self.get(&format!("{JOBS}/{id}/result?format={format}")).await;
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{text}");
        text
    }
}

async fn accepted(answer: Response) -> String {
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, StatusCode::ACCEPTED, "{text}");
    let receipt: Value = serde_json::from_str(&text).unwrap();
    receipt["job_id"].as_str().unwrap().to_owned()
}

/// An answer that must be a problem (RFC 9457) of this kind; its detail must say something.
pub(crate) async fn problem(answer: Response, status: u16, kind: &str) -> Value {
    let (got, media_type) = (answer.status(), answer.headers()["content-type"].to_str().unwrap().to_owned());
    let text = answer.text().await.unwrap();
    assert_eq!((got.as_u16(), media_type.as_str()), (status, "application/problem+json"), "{text}");
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["type"], format!("/problems/{kind}"), "{text}");
    assert_eq!(problem["status"], status, "{text}");
    assert!(problem["detail"].as_str().unwrap().len() > 15, "{text}");
    problem
}

/// The events of an aggregate (`job`, `delivery`), in order, as they stand in the store at `database_url`.
pub(crate) async fn events(database_url: &str, aggregate: &str, id: &str) -> Vec<RecordedEvent> {
    let database = Database::open(&DatabaseSettings { url: database_url.to_owned(), max_connections: 1 }).unwrap();
    let events = read_stream(&database, aggregate, id).await.unwrap();
    database.pool().close().await;
    events
}
