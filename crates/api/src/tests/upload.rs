use axum::body::Body;
use axum::http::{Method, StatusCode};
use futures::stream;
use ytcaption_blobstore::BlobKey;
use ytcaption_domain::job::{JobEvent, JobOptions, MediaSource};

use super::{Answer, Api, COLLECTION, MAX_BODY_BYTES, MAX_UPLOAD_BYTES, eventually, request};

const BOUNDARY: &str = "between-the-parts";

/// One part of a form: its name, its file name, its content.
pub(super) type Part<'a> = (&'a str, Option<&'a str>, &'a [u8]);

pub(super) fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file_name, content) in parts {
        let file_name = file_name.map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file_name}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

pub(super) async fn post_form(api: &Api, body: impl Into<Body>, headers: &[(&str, &str)]) -> Answer {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let headers = [&[("content-type", content_type.as_str())], headers].concat();
    api.send(request(Method::POST, COLLECTION, &headers, body.into())).await
}

async fn assert_nothing_stored(api: &Api) {
    eventually("no blob is left", async || api.blob_files().is_empty()).await;
    assert_eq!(api.job_count().await, 0);
}

#[tokio::test]
async fn a_file_becomes_a_job_whose_blob_is_the_file() {
    let api = Api::new().await;
    let content: Vec<u8> = (0..60_000_u32).flat_map(u32::to_le_bytes).take(90_000).collect();
    let body =
        form(&[("language", None, b"en"), ("file", Some("../My talk.mp4"), &content), ("priority", None, b"low")]);
    // In small pieces, as a network would bring it.
    let pieces: Vec<Result<Vec<u8>, std::io::Error>> = body.chunks(777).map(|piece| Ok(piece.to_vec())).collect();
    let answer = post_form(&api, Body::from_stream(stream::iter(pieces)), &[]).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");

    let JobEvent::JobCreated { source, options: JobOptions::Transcription(transcription), priority, .. } =
        api.creation(answer.job_id()).await
    else {
        panic!("the first event creates the job");
    };
    assert_eq!((transcription.language.as_str(), priority.as_str()), ("en", "low"));
    let MediaSource::Upload { key, file_name, bytes, sha256 } = source else { panic!("an upload: {source:?}") };
    assert_eq!((file_name.as_str(), bytes), ("My talk.mp4", 90_000));
    let stored = api.state.blobs.info(&BlobKey::new(key).expect("a key")).await.expect("the blob is there");
    assert_eq!((stored.bytes, stored.sha256), (bytes, sha256));

    let shown = api.get(answer.header("location")).await.json();
    assert_eq!(shown["source"]["kind"], "upload");
    assert_eq!(shown["source"]["name"], "My talk.mp4");
}

#[tokio::test]
async fn a_form_without_a_file_may_give_an_address() {
    let api = Api::new().await;
    let answer = post_form(&api, form(&[("url", None, b"https://example.org/a.mp4")]), &[]).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
}

#[tokio::test]
async fn an_invalid_form_is_refused_and_leaves_no_blob() {
    let api = Api::new().await;
    let file: Part<'_> = ("file", Some("a.mp4"), b"content");
    for (parts, pointers) in [
        (&[file, ("language", None, b"xx")][..], &["/language"][..]),
        (&[("language", None, b"xx"), file], &["/language"]),
        (&[file, ("colour", None, b"blue"), ("priority", None, b"soon")], &["/colour", "/priority"]),
        (&[file, ("url", None, b"https://example.org/a")], &["/file"]),
        (&[file, file], &["/file"]),
        (&[("file", Some("empty.mp4"), b"")], &["/file"]),
        (&[("language", None, b"en")], &["/url"]),
        (&[file, ("language", None, b"en"), ("language", None, b"de")], &["/language"]),
    ] {
        let answer = post_form(&api, form(parts), &[]).await;
        assert_eq!(answer.invalid_fields(), pointers);
    }
    assert_nothing_stored(&api).await;
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_with_the_limit() {
    let api = Api::new().await;
    for bytes in [100_001, 2_000_000] {
        let answer = post_form(&api, form(&[("file", Some("a.mp4"), &vec![7; bytes])]), &[]).await;
        assert_eq!(answer.problem(413, "too-large")["limit_bytes"], MAX_UPLOAD_BYTES);
    }
    let answer = post_form(&api, form(&[("model", None, &[b'm'; 10_000])]), &[]).await;
    assert_eq!(answer.problem(413, "too-large")["limit_bytes"], MAX_BODY_BYTES);
    assert_nothing_stored(&api).await;
}

#[tokio::test]
async fn the_largest_file_is_taken() {
    let api = Api::new().await;
    let answer = post_form(&api, form(&[("file", Some("a.mp4"), &vec![7; 100_000])]), &[]).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let api = Api::new().await;
    let whole = form(&[("file", Some("a.mp4"), &vec![7; 50_000])]);
    post_form(&api, whole[..30_000].to_vec(), &[]).await.problem(400, "upload-broken-off");

    let pieces = vec![Ok(whole[..30_000].to_vec()), Err(std::io::Error::other("the line went dead"))];
    post_form(&api, Body::from_stream(stream::iter(pieces)), &[]).await.problem(400, "upload-broken-off");
    assert_nothing_stored(&api).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing() {
    let api = Api::new().await;
    let whole = form(&[("file", Some("a.mp4"), &vec![7; 50_000]), ("language", None, b"en")]);
    // All but the end arrives, then nothing for ever.
    let first = stream::iter([Ok::<_, std::io::Error>(whole[..whole.len() - 5].to_vec())]);
    let body = Body::from_stream(futures::StreamExt::chain(first, stream::pending()));
    let upload = post_form(&api, body, &[]);
    let waited = tokio::time::timeout(std::time::Duration::from_millis(300), upload).await;
    assert!(waited.is_err(), "the answer came before the end of the form");
    assert_nothing_stored(&api).await;
}

#[tokio::test]
async fn a_form_that_is_none_is_refused() {
    let api = Api::new().await;
    post_form(&api, "no form at all", &[]).await.problem(400, "malformed-body");
    let headers = [("content-type", "multipart/form-data")];
    let answer = api.send(request(Method::POST, COLLECTION, &headers, Body::from("x"))).await;
    answer.problem(400, "malformed-body");
}
