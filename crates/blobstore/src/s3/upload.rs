//! Sending a file: in one request when small, in parts when large.

use std::path::Path;

use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures::{StreamExt, TryStreamExt, stream};

use super::{FINGERPRINT, S3};
use crate::{BlobError, BlobInfo, BlobKey};

/// Files up to this size go up in one request; larger ones in parts of at least this size.
const PART_BYTES: u64 = 16 * 1024 * 1024;
/// S3's limit on parts of one upload.
const MAX_PARTS: u64 = 10_000;
/// Parts sent at a time.
const PARALLEL_PARTS: usize = 4;
const CONTENT_TYPE: &str = "application/octet-stream";

/// One piece of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    /// Counted from 1, as S3 does.
    number: i32,
    offset: u64,
    bytes: u64,
}

/// Cuts `bytes` into parts that S3 accepts.
fn parts(bytes: u64) -> Vec<Part> {
    let size = PART_BYTES.max(bytes.div_ceil(MAX_PARTS));
    (1..)
        .zip(0..bytes.div_ceil(size))
        .map(|(number, index)| {
            let offset = index * size;
            Part { number, offset, bytes: size.min(bytes - offset) }
        })
        .collect()
}

impl S3 {
    /// Stores the file at `path`, whose size and fingerprint are known already.
    pub(super) async fn upload(&self, key: &BlobKey, path: &Path, info: &BlobInfo) -> Result<(), BlobError> {
        if info.bytes > PART_BYTES {
            return self.upload_in_parts(key, path, info).await;
        }
        let whole = Part { number: 1, offset: 0, bytes: info.bytes };
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .content_type(CONTENT_TYPE)
            .metadata(FINGERPRINT, &info.sha256)
            .body(body(path, whole).await?)
            .send()
            .await
            .map_err(|e| self.error(&e, None))?;
        Ok(())
    }

    async fn upload_in_parts(&self, key: &BlobKey, path: &Path, info: &BlobInfo) -> Result<(), BlobError> {
        let created = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key.as_str())
            .content_type(CONTENT_TYPE)
            .metadata(FINGERPRINT, &info.sha256)
            .send()
            .await
            .map_err(|e| self.error(&e, None))?;
        let id =
            created.upload_id().ok_or_else(|| self.unreachable("the service gave no id for a multipart upload"))?;
        let sent = self.send_parts(key, path, info, id).await;
        if sent.is_err() {
            let abort = self.client.abort_multipart_upload();
            let abort = abort.bucket(&self.bucket).key(key.as_str()).upload_id(id);
            if let Err(error) = abort.send().await {
                let error = self.error(&error, None);
                tracing::warn!(%key, %error, "an incomplete upload remains in the bucket");
            }
        }
        sent
    }

    async fn send_parts(&self, key: &BlobKey, path: &Path, info: &BlobInfo, id: &str) -> Result<(), BlobError> {
        let sends = parts(info.bytes).into_iter().map(|part| async move {
            let answer = self
                .client
                .upload_part()
                .bucket(&self.bucket)
                .key(key.as_str())
                .upload_id(id)
                .part_number(part.number)
                .body(body(path, part).await?)
                .send()
                .await
                .map_err(|e| self.error(&e, None))?;
            let done = CompletedPart::builder().part_number(part.number).set_e_tag(answer.e_tag().map(str::to_owned));
            Ok::<_, BlobError>(done.build())
        });
        let done: Vec<_> = stream::iter(sends).buffered(PARALLEL_PARTS).try_collect().await?;
        self.client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key.as_str())
            .upload_id(id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(done)).build())
            .send()
            .await
            .map_err(|e| self.error(&e, None))?;
        Ok(())
    }
}

/// A body the SDK can read again when it retries.
async fn body(path: &Path, part: Part) -> Result<ByteStream, BlobError> {
    ByteStream::read_from()
        .path(path)
        .offset(part.offset)
        .length(Length::Exact(part.bytes))
        .build()
        .await
        .map_err(|error| BlobError::Io(std::io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::{MAX_PARTS, PART_BYTES, parts};

    #[test]
    fn parts_cover_the_file_without_gap_or_overlap() {
        for bytes in [1, PART_BYTES, PART_BYTES + 1, 5 * PART_BYTES - 1, 400 << 30] {
            let parts = parts(bytes);
            assert!(parts.len() as u64 <= MAX_PARTS);
            let mut next = 0;
            for (number, part) in (1..).zip(&parts) {
                assert_eq!((part.number, part.offset), (number, next));
                assert!(part.bytes > 0);
                next += part.bytes;
            }
            assert_eq!(next, bytes);
        }
    }
}
