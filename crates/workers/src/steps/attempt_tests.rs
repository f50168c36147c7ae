use ytcaption_domain::captions::Segment;
use ytcaption_domain::job::{Audio, Job, JobCommand, JobEvent};
use ytcaption_domain::{JobId, Span};

use super::*;
use crate::steps::download::DownloadUnit;
#[cfg(feature = "transcribe")]
use crate::steps::transcribe::Scheduled;
use crate::testing::{TestHarness, client};

fn audio() -> Audio {
    Audio { key: "audio/x".into(), bytes: 1, sha256: String::new(), duration_ms: 2000 }
}

async fn attempt(harness: &TestHarness, unit: impl StepUnit<Aggregate = Job>, result: JobCommand) -> Outcome {
    let context = client();
    let stopping = CancellationToken::new();
    let attempt =
        Attempt { deps: &harness.deps, bus: &harness.deps.jobs, context: &context, unit, number: 1, stopping };
    attempt.run(RetrySettings::default(), async { Ok(result) }).await
}

/// The job has failed with an error of the program, and its message is not delivered again.
async fn assert_failed(harness: &TestHarness, job: JobId, outcome: &Outcome, reason: &str) {
    assert_eq!(*outcome, Outcome::Done);
    let JobEvent::JobFailed { failure, .. } =
        harness.wait_for(job, |event| matches!(event, JobEvent::JobFailed { .. })).await
    else {
        unreachable!()
    };
    assert_eq!(failure.code, "result_rejected");
    assert!(failure.message.contains(reason) && failure.message.contains("report it"), "{}", failure.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_rejects_its_plan_does_not_stay_open() {
    let harness = TestHarness::new().await;
    let job = harness.submit_url("http://example.org/a.mp4").await;
    harness.command(job, JobCommand::StartDownload { worker: "w".into() }).await;
    let plan = JobCommand::RecordAudio { attempt: 1, audio: audio(), title: None, chunks: vec![] };
    let outcome = attempt(&harness, DownloadUnit(job), plan).await;
    assert_failed(&harness, job, &outcome, "the chunks must be contiguous").await;
}

#[cfg(feature = "transcribe")]
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_rejects_its_text_does_not_stay_open() {
    let harness = TestHarness::new().await;
    let job = harness.submit_url("http://example.org/a.mp4").await;
    harness.command(job, JobCommand::StartDownload { worker: "w".into() }).await;
    let chunks = vec![Span { start_ms: 0, end_ms: 2000 }];
    harness.command(job, JobCommand::RecordAudio { attempt: 1, audio: audio(), title: None, chunks }).await;
    harness.command(job, JobCommand::StartChunk { chunk: 0, worker: "w".into(), model: "m".into() }).await;
    let backwards = Segment {
        start_ms: 1000,
        end_ms: 500,
        text: "text".into(),
        avg_logprob: 0.0,
        no_speech_prob: 0.0,
        compression_ratio: 1.0,
        temperature: 0.0,
        words: vec![],
    };
    let text = JobCommand::RecordChunk { chunk: 0, attempt: 1, language: "en".into(), segments: vec![backwards] };
    let outcome = attempt(&harness, &chunk(job, 0), text).await;
    assert_failed(&harness, job, &outcome, "segment 0 ends before it begins").await;
}

#[cfg(feature = "transcribe")]
fn chunk(job_id: JobId, chunk: u32) -> Scheduled {
    Scheduled { job_id, chunk, span: Span { start_ms: 0, end_ms: 2000 } }
}

#[cfg(feature = "transcribe")]
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_a_chunk_that_the_job_does_not_know_cannot_be_recorded() {
    let harness = TestHarness::new().await;
    let job = harness.submit_url("http://example.org/a.mp4").await;
    let text = JobCommand::RecordChunk { chunk: 7, attempt: 1, language: "en".into(), segments: vec![] };
    let outcome = attempt(&harness, &chunk(job, 7), text).await;
    assert_eq!(outcome, Outcome::Unreadable("the job has no chunk 7".into()));
    assert_eq!(harness.names(job).await, ["JobCreated"]);
}
