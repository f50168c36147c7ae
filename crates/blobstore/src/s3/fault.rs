//! From the SDK's errors to ours, with a hint a person can act on.

use std::io;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::{BlobError, BlobKey};

use super::S3;

/// "Range Not Satisfiable" (RFC 9110, section 15.5.17).
const RANGE_REFUSED: u16 = 416;

/// Whether the service refused a range that starts after the end (HTTP 416).
pub(super) fn is_range<E>(error: &SdkError<E, HttpResponse>) -> bool {
    error.raw_response().is_some_and(|answer| answer.status().as_u16() == RANGE_REFUSED)
}

impl S3 {
    pub(super) fn unreachable(&self, what: &str) -> BlobError {
        BlobError::Unreachable { hint: format!("bucket {} at {}: {what}", self.bucket, self.place) }
    }

    pub(super) fn fault<E>(&self, error: &SdkError<E, HttpResponse>, key: Option<&BlobKey>) -> BlobError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let detail = DisplayErrorContext(error).to_string();
        let SdkError::ServiceError(service) = error else {
            let advice = if detail.to_lowercase().contains("credentials") {
                "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            } else {
                "no usable answer; is the service running and the address right?"
            };
            return self.unreachable(&format!("{advice} ({detail})"));
        };
        let status = service.raw().status().as_u16();
        match (service.err().code().unwrap_or_default(), status, key) {
            ("NoSuchUpload", _, _) => self.unreachable("the service dropped the upload before its end; try again"),
            ("NoSuchBucket", _, _) | (_, 404, None) => {
                self.unreachable("the bucket does not exist; create it or correct its name")
            }
            (_, 404, Some(key)) => BlobError::NotFound { key: key.clone() },
            (code, 401 | 403, _) => self.unreachable(&format!(
                "access denied ({code}); check the access key, its secret, the region and the \
                 bucket's permissions"
            )),
            (code, 301 | 307, _) => {
                self.unreachable(&format!("the bucket lives elsewhere ({code}); correct the region or the endpoint"))
            }
            (code, 429 | 500.., _) => {
                self.unreachable(&format!("the service is in trouble (HTTP {status} {code}); try again later"))
            }
            _ => BlobError::Io(io::Error::other(detail)),
        }
    }
}
