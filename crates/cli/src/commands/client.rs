//! Talks to the REST interface.

use std::path::{Path, PathBuf};
use std::time::Duration;

use eventsource_stream::{Event, EventStreamError, Eventsource as _};
use futures::{Stream, StreamExt as _};
use reqwest::multipart::{Form, Part};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

/// Names a request, so that it can be repeated.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// Names the last event received, so that the stream goes on after it.
const LAST_EVENT_ID: &str = "Last-Event-ID";
/// Where jobs are submitted.
pub(super) const TRANSCRIPTIONS: &str = "/api/v1/transcriptions";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most jobs that the API lists at a time.
const PAGE_JOBS: usize = 100;
/// Longest wait for an answer to anything but an upload.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Parameters of a request by name.
pub(super) type Parameters = [(&'static str, String)];

/// A stream that is silent for so long is broken: the API sends something every 15 s.
const SILENCE: Duration = Duration::from_secs(45);

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// Nothing answers.
    #[error(
        "{api} does not answer ({reason}). Is the system running? Start it with `ytcaption up`, or name it with --api"
    )]
    Absent { api: Url, reason: String },
    /// It is there and cannot serve.
    #[error("{api} cannot serve at the moment: {detail}")]
    Unavailable { api: Url, detail: String },
    /// It refuses.
    #[error("{0}")]
    Refused(String),
    /// Something else answers there.
    #[error("what answers at {api} is not the API of YTCaption: {reason}")]
    Foreign { api: Url, reason: String },
    /// The file cannot be sent.
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
}

impl ClientError {
    /// Whether the API may well answer later.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Absent { .. } | Self::Unavailable { .. })
    }
}

/// The answer to a submission.
#[derive(Debug, Deserialize)]
pub(super) struct JobAccepted {
    job_id: Uuid,
}

impl JobAccepted {
    /// Path of the job within the API. Not the URL in the answer: that is for clients of the API's public URL, and this one
    /// may have another way to it.
    pub(super) fn path(&self) -> String {
        format!("{TRANSCRIPTIONS}/{}", self.job_id)
    }
}

/// A page of jobs.
#[derive(Debug, Deserialize)]
struct JobPage {
    transcriptions: Vec<Value>,
    next_cursor: Option<String>,
}

/// What is shown of a job.
#[derive(Debug, Deserialize)]
pub(super) struct Job {
    #[serde(rename = "job_id")]
    pub(super) id: String,
    pub(super) status: String,
    pub(super) progress: Progress,
    pub(super) error: Option<JobError>,
    /// What is wrong although the job goes on.
    #[serde(default)]
    pub(super) warning: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Progress {
    /// 0 to 100
    pub(super) percent: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct JobError {
    pub(super) code: String,
    pub(super) message: String,
}

/// A problem by RFC 9457, as far as it is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: String,
    errors: Vec<FieldError>,
}

#[derive(Debug, Deserialize)]
struct FieldError {
    pointer: Option<String>,
    parameter: Option<String>,
    detail: String,
}

impl Problem {
    fn describe(&self) -> String {
        let mut lines = vec![if self.detail.is_empty() { self.title.clone() } else { self.detail.clone() }];
        lines.extend(self.errors.iter().map(|error| {
            let field = error.pointer.as_deref().or(error.parameter.as_deref()).unwrap_or_default();
            match field.trim_start_matches(['#', '/']) {
                "" => format!("  - {}", error.detail),
                field => format!("  - {field}: {}", error.detail),
            }
        }));
        lines.join("\n")
    }
}

/// A client of one API.
#[derive(Debug)]
pub(super) struct Client {
    api: Url,
    http: reqwest::Client,
    /// For answers that go on as long as the job.
    streams: reqwest::Client,
    /// Makes a repeated submission the same job.
    idempotency_key: String,
}

impl Client {
    pub(super) fn new(api: Url) -> anyhow::Result<Self> {
        anyhow::ensure!(
            matches!(api.scheme(), "http" | "https") && api.has_host(),
            "{api} is not the URL of an API; it begins with http:// or https://"
        );
        let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).build()?;
        let streams = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(SILENCE).build()?;
        Ok(Self { api, http, streams, idempotency_key: Uuid::new_v4().to_string() })
    }

    /// The URL of a path of the API, below the path of its own URL if that has one.
    pub(super) fn resolve(&self, path: &str) -> Url {
        let mut url = self.api.clone();
        url.set_path(&format!("{}{path}", self.api.path().trim_end_matches('/')));
        url.set_query(None);
        url.set_fragment(None);
        url
    }

    pub(super) async fn submit_url(&self, fields: &Map<String, Value>) -> Result<JobAccepted, ClientError> {
        let request = self.submission().timeout(ANSWER_TIMEOUT).json(fields);
        self.ask(request).await
    }

    fn submission(&self) -> RequestBuilder {
        self.http.post(self.resolve(TRANSCRIPTIONS)).header(IDEMPOTENCY_KEY, &self.idempotency_key)
    }

    /// Sends a file; takes as long as the network needs.
    pub(super) async fn submit_file(
        &self,
        path: &Path,
        fields: &Map<String, Value>,
    ) -> Result<JobAccepted, ClientError> {
        let unreadable = |source| ClientError::File { path: path.to_owned(), source };
        if path.is_dir() {
            return Err(unreadable(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
        }
        let mut form = Form::new();
        // Before the file, so that errors are found before it is sent.
        for (name, value) in fields {
            form = form.text(name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        let form = form.part("file", Part::file(path).await.map_err(unreadable)?);
        self.ask(self.submission().multipart(form)).await
    }

    /// The newest jobs, at most `limit`, as the API describes them; with this status if there is one.
    pub(super) async fn jobs(&self, status: Option<&str>, limit: usize) -> Result<Vec<Value>, ClientError> {
        let (mut jobs, mut cursor) = (Vec::new(), None);
        while jobs.len() < limit {
            let mut query = vec![("limit", (limit - jobs.len()).min(PAGE_JOBS).to_string())];
            query.extend(status.map(|status| ("status", status.to_owned())));
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let request = self.http.get(self.resolve(TRANSCRIPTIONS)).query(&query).timeout(ANSWER_TIMEOUT);
            let page: JobPage = self.ask(request).await?;
            jobs.extend(page.transcriptions);
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        Ok(jobs)
    }

    /// What is at a path of the API.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.ask(self.http.get(self.resolve(path)).timeout(ANSWER_TIMEOUT)).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ClientError> {
        self.ask(self.http.post(self.resolve(path)).timeout(ANSWER_TIMEOUT).json(body)).await
    }

    /// Does the job at that path once more.
    pub(super) async fn retry(&self, path: &str) -> Result<JobAccepted, ClientError> {
        let request = self.http.post(self.resolve(path)).timeout(ANSWER_TIMEOUT);
        self.ask(request.header(IDEMPOTENCY_KEY, &self.idempotency_key)).await
    }

    pub(super) async fn job(&self, path: &str) -> Result<Job, ClientError> {
        self.ask(self.http.get(self.resolve(path)).timeout(ANSWER_TIMEOUT)).await
    }

    pub(super) async fn captions(&self, path: &str, wanted: &Parameters) -> Result<String, ClientError> {
        let url = self.resolve(&format!("{path}/result"));
        let request = self.http.get(url).query(wanted).timeout(ANSWER_TIMEOUT);
        self.send(request).await?.text().await.map_err(|error| self.absent(&error))
    }

    /// The events of a job as they come, after the one of that id; none if there is nothing more.
    pub(super) async fn events<'a>(
        &'a self,
        path: &str,
        after: &str,
    ) -> Result<Option<impl Stream<Item = Result<Event, ClientError>> + use<'a>>, ClientError> {
        let request = self.streams.get(self.resolve(&format!("{path}/stream")));
        let answer = self.send(request.header(LAST_EVENT_ID, after)).await?;
        if answer.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let events = answer.bytes_stream().eventsource().map(|event| {
            event.map_err(|error| match error {
                EventStreamError::Transport(error) => self.absent(&error),
                other => self.foreign(&other),
            })
        });
        Ok(Some(events))
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let text = self.send(request).await?.text().await.map_err(|error| self.absent(&error))?;
        serde_json::from_str(&text).map_err(|error| self.foreign(&error))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let answer = request.send().await.map_err(|error| self.absent(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.text().await.unwrap_or_default();
        let problem = serde_json::from_str::<Problem>(&text).ok();
        let detail = problem.as_ref().map_or_else(|| format!("it answered {status}"), Problem::describe);
        Err(match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
                ClientError::Unavailable { api: self.api.clone(), detail }
            }
            _ if problem.is_none() => self.foreign(&detail),
            _ => ClientError::Refused(detail),
        })
    }

    fn absent(&self, error: &reqwest::Error) -> ClientError {
        let mut innermost: &dyn std::error::Error = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        ClientError::Absent { api: self.api.clone(), reason: innermost.to_string() }
    }

    fn foreign(&self, error: &dyn std::fmt::Display) -> ClientError {
        ClientError::Foreign { api: self.api.clone(), reason: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Client, Problem, TRANSCRIPTIONS};

    #[test]
    fn the_url_of_the_api_may_have_a_path() {
        for (api, expected) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000/api/v1/transcriptions"),
            ("http://host/captions", "http://host/captions/api/v1/transcriptions"),
            ("https://host/captions/?a=b#c", "https://host/captions/api/v1/transcriptions"),
        ] {
            let client = Client::new(api.parse().expect("a URL")).expect("an API");
            assert_eq!(client.resolve(TRANSCRIPTIONS).as_str(), expected);
        }
    }

    #[test]
    fn a_problem_shows_every_error_with_its_field() {
        let problem: Problem = serde_json::from_str(
            r##"{"type":"/problems/invalid-request","title":"Invalid","detail":"Two fields cannot be used.",
                "errors":[{"pointer":"#/url","detail":"Begins with ftp:."},{"detail":"Too late."}]}"##,
        )
        .expect("a problem");
        assert_eq!(problem.describe(), "Two fields cannot be used.\n  - url: Begins with ftp:.\n  - Too late.");
    }
}
