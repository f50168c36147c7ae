//! A client of the API, and access to the event store behind it.

use std::time::{Duration, Instant};

use reqwest::multipart::{Form, Part};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use ytcaption_eventstore::{Database, RecordedEvent, read_stream};

use crate::system::System;

/// How long a job with a few seconds of media may take while other jobs run.
pub(crate) const JOB_TIMEOUT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(100);
/// The path at which jobs are submitted and listed.
pub(crate) const JOBS: &str = "/api/v1/transcriptions";

/// A client of one API.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base_url: String,
}

impl Client {
    /// A client of the API of a system.
    pub(crate) fn for_system(system: &System) -> Self {
        Self::new(&system.url(""))
    }

    /// A client of the API with this base URL.
    pub(crate) fn new(base_url: &str) -> Self {
        Self { http: reqwest::Client::new(), base_url: base_url.to_owned() }
    }

    /// A request to a path, for tests that need more than the functions below.
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base_url))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(reqwest::Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(reqwest::Method::POST, path).json(body).send().await.unwrap()
    }

    /// Submits a job that must be accepted; returns its id.
    pub(crate) async fn submit(&self, job: &Value) -> String {
        accepted_job_id(self.post(JOBS, job).await).await
    }

    /// Submits the URL of media.
    pub(crate) async fn submit_url(&self, url: &str) -> String {
        self.submit(&json!({ "url": url })).await
    }

    /// Uploads a media file; returns the id of the job.
    pub(crate) async fn upload(&self, name: &str, content: Vec<u8>) -> String {
        self.upload_with(Form::new(), name, content).await
    }

    /// Uploads a media file, with these form fields before it; returns the id of the job.
    pub(crate) async fn upload_with(&self, fields: Form, name: &str, content: Vec<u8>) -> String {
        let form = fields.part("file", Part::bytes(content).file_name(name.to_owned()));
        accepted_job_id(self.request(reqwest::Method::POST, JOBS).multipart(form).send().await.unwrap()).await
    }

    /// A job as the API shows it, or `None` while the API answers 404.
    pub(crate) async fn job(&self, id: &str) -> Option<Value> {
        let response = self.get(&format!("{JOBS}/{id}")).await;
        if response.status() == StatusCode::NOT_FOUND {
            return None;
        }
        assert_eq!(response.status(), StatusCode::OK);
        Some(response.json().await.unwrap())
    }

    /// Waits until `wanted` holds for the job; returns the job.
    pub(crate) async fn wait_until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + JOB_TIMEOUT;
        loop {
            let job = self.job(id).await;
            if let Some(job) = job.as_ref().filter(|job| wanted(job)) {
                return job.clone();
            }
            assert!(Instant::now() < deadline, "timed out; the job is {job:#?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the job is completed, failed or cancelled.
    pub(crate) async fn ended(&self, id: &str) -> Value {
        self.wait_until(id, |job| ["completed", "failed", "cancelled"].iter().any(|end| job["status"] == *end)).await
    }

    /// Waits until the list of jobs shows the job as downloading. The list and not the job itself: a job that is not in
    /// the read model yet is folded from its events, which may be ahead of the list.
    pub(crate) async fn downloading(&self, id: &str) {
        let deadline = Instant::now() + JOB_TIMEOUT;
        loop {
            let page: Value = self.get(&format!("{JOBS}?status=downloading&limit=100")).await.json().await.unwrap();
            if page["transcriptions"].as_array().unwrap().iter().any(|job| job["job_id"] == id) {
                return;
            }
            assert!(Instant::now() < deadline, "the job is not downloading; it is {:#?}", self.job(id).await);
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
        let response = self.get(&format!("{JOBS}/{id}/result?format={format}")).await;
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{text}");
        text
    }
}

async fn accepted_job_id(response: Response) -> String {
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, StatusCode::ACCEPTED, "{text}");
    let accepted: Value = serde_json::from_str(&text).unwrap();
    accepted["job_id"].as_str().unwrap().to_owned()
}

/// The body of a response, which must be a problem (RFC 9457) with this status and type, and with a detail.
pub(crate) async fn problem(response: Response, status: u16, kind: &str) -> Value {
    let (got, media_type) = (response.status(), response.headers()["content-type"].to_str().unwrap().to_owned());
    let text = response.text().await.unwrap();
    assert_eq!((got.as_u16(), media_type.as_str()), (status, "application/problem+json"), "{text}");
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["type"], format!("/problems/{kind}"), "{text}");
    assert_eq!(problem["status"], status, "{text}");
    assert!(problem["detail"].as_str().unwrap().len() > 15, "{text}");
    problem
}

/// The events of an aggregate (`job`, `delivery`), in order, as they are stored in the database at `database_url`.
pub(crate) async fn events(database_url: &str, aggregate: &str, id: &str) -> Vec<RecordedEvent> {
    let database = Database::open(&database_url.into(), 1).unwrap().with_master_keys(
        ytcaption_eventstore::encryption::MasterKeys::parse(ytcaption_testing::MASTER_KEY, []).unwrap(),
    );
    let events = read_stream(&database, aggregate, id).await.unwrap();
    database.pool().close().await;
    events
}
