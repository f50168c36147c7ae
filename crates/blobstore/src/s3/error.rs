//! Turns errors of the SDK into [`BlobError`], with a hint that an operator can act on.

use std::io;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::{BlobError, BlobKey};

use super::S3;

impl S3 {
    pub(super) fn unreachable(&self, what: &str) -> BlobError {
        BlobError::Unreachable { hint: format!("bucket {} at {}: {what}", self.bucket, self.service) }
    }

    pub(super) fn error<E>(&self, error: &SdkError<E, HttpResponse>, key: Option<&BlobKey>) -> BlobError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let detail = DisplayErrorContext(error).to_string();
        let SdkError::ServiceError(service) = error else {
            let advice = if detail.to_lowercase().contains("credentials") {
                "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            } else {
                "no usable answer; is the service running and the URL right?"
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
            (code, 301 | 307, _) => self.unreachable(&format!(
                "the bucket is in another region or at another service ({code}); correct the region or the endpoint"
            )),
            (code, 429 | 500.., _) => {
                self.unreachable(&format!("the service is unhealthy (HTTP {status} {code}); try again later"))
            }
            _ => BlobError::Io(io::Error::other(detail)),
        }
    }
}
