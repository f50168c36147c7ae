//! From the SDK's errors to ours, with a hint a person can act on.

use std::io;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::{BlobError, BlobKey};

use super::S3;

/// S3's code for a range that starts after the end (HTTP 416).
const INVALID_RANGE: &str = "InvalidRange";

/// Marks the I/O error that stands for [`INVALID_RANGE`] until the caller, who knows the range,
/// turns it into [`BlobError::BadRange`].
#[derive(Debug, thiserror::Error)]
#[error("the range starts after the end")]
struct RangeRefused;

pub(super) fn is_range(error: &BlobError) -> bool {
    matches!(error, BlobError::Io(e) if e.get_ref().is_some_and(|inner| inner.is::<RangeRefused>()))
}

impl S3 {
    pub(super) fn unreachable(&self, what: &str) -> BlobError {
        BlobError::Unreachable {
            hint: format!("bucket {} at {}: {what}", self.bucket, self.place),
        }
    }

    pub(super) fn fault<E>(
        &self,
        error: SdkError<E, HttpResponse>,
        key: Option<&BlobKey>,
    ) -> BlobError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let detail = DisplayErrorContext(&error).to_string();
        let SdkError::ServiceError(service) = &error else {
            let advice = if detail.to_lowercase().contains("credentials") {
                "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            } else {
                "no usable answer; is the service running and the address right?"
            };
            return self.unreachable(&format!("{advice} ({detail})"));
        };
        let status = service.raw().status().as_u16();
        match (service.err().code().unwrap_or_default(), status, key) {
            ("NoSuchBucket", _, _) | (_, 404, None) => {
                self.unreachable("the bucket does not exist; create it or correct its name")
            }
            (INVALID_RANGE, _, _) | (_, 416, _) => BlobError::Io(io::Error::other(RangeRefused)),
            (_, 404, Some(key)) => BlobError::NotFound { key: key.clone() },
            (code, 401 | 403, _) => self.unreachable(&format!(
                "access denied ({code}); check the access key, its secret, the region and the \
                 bucket's permissions"
            )),
            (code, 301 | 307, _) => self.unreachable(&format!(
                "the bucket lives elsewhere ({code}); correct the region or the endpoint"
            )),
            (code, 429 | 500.., _) => self.unreachable(&format!(
                "the service is in trouble (HTTP {status} {code}); this is tried again"
            )),
            _ => BlobError::Io(io::Error::other(detail)),
        }
    }
}
