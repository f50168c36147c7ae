//! Blobs as objects of an S3 bucket.

mod fault;
mod upload;

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    Credentials, RequestChecksumCalculation, ResponseChecksumValidation, SharedCredentialsProvider,
};
use aws_sdk_s3::presigning::PresigningConfig;
use tokio::io::AsyncRead;
use url::Url;

use crate::copy::{self, Unfinished};
use crate::settings::S3Settings;
use crate::{BlobError, BlobInfo, BlobKey, BlobReader, BlobStore};

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for the first byte of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one attempt may take, sending the body (at most one part) included.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(2);
/// Attempts for one request, the first included; the SDK waits longer before each.
const ATTEMPTS: u32 = 4;
/// How long a readiness check may take in all.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// Object metadata (`x-amz-meta-sha256`) that holds the fingerprint.
const FINGERPRINT: &str = "sha256";

/// A blob store in an S3 bucket, of Amazon or of any service that speaks its protocol.
///
/// Files larger than 16 MiB go up in parts. A stream is first spooled to a temporary file (under
/// `TMPDIR`), so that its fingerprint is known before the upload starts and a sender that breaks
/// off never leaves a half-made upload. A process killed in the middle of an upload leaves parts
/// that no reader sees; give the bucket a rule that expires incomplete uploads.
pub struct S3 {
    client: Client,
    bucket: String,
    /// For messages: the endpoint, or Amazon and the region.
    place: String,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3({} at {})", self.bucket, self.place)
    }
}

impl S3 {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`BlobError::Unreachable`] when the settings do not fit together.
    pub async fn open(settings: &S3Settings) -> Result<Self, BlobError> {
        // Newer SDKs add CRC32 trailers to every upload, which several other services refuse; the
        // blob's own SHA-256 guards the content from end to end.
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(settings.region.clone()))
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .read_timeout(READ_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .build(),
            );
        if let Some(endpoint) = &settings.endpoint {
            let usable = Url::parse(endpoint).is_ok_and(|u| matches!(u.scheme(), "http" | "https"));
            if !usable {
                let hint = format!("the S3 endpoint {endpoint:?} is not an address such as http://garage:3900");
                return Err(BlobError::Unreachable { hint });
            }
            loader = loader.endpoint_url(endpoint);
        }
        match (&settings.access_key_id, &settings.secret_access_key) {
            (None, None) => {}
            (Some(id), Some(secret)) => {
                let keys = Credentials::new(id, secret, None, None, "ytcaption settings");
                loader = loader.credentials_provider(SharedCredentialsProvider::new(keys));
            }
            _ => {
                let hint = "access_key_id and secret_access_key must be given together, or both \
                            left to AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                    .to_owned();
                return Err(BlobError::Unreachable { hint });
            }
        }
        let path_style = settings.path_style.unwrap_or(settings.endpoint.is_some());
        let config = aws_sdk_s3::config::Builder::from(&loader.load().await).force_path_style(path_style).build();
        let place = match &settings.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => format!("Amazon, region {}", settings.region),
        };
        Ok(Self { client: Client::from_conf(config), bucket: settings.bucket.clone(), place })
    }

    async fn read(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<BlobReader, BlobError> {
        // HTTP ranges include their last byte (RFC 9110, section 14.1.2).
        let header = range.as_ref().map(|r| format!("bytes={}-{}", r.start, r.end - 1));
        let request = self.client.get_object().bucket(&self.bucket).key(key.as_str());
        let answer = request.set_range(header).send().await.map_err(|e| match range {
            Some(range) if fault::is_range(&e) => bad_range(key, &range),
            _ => self.fault(&e, Some(key)),
        })?;
        Ok(Box::new(Box::pin(answer.body.into_async_read())))
    }
}

fn bad_range(key: &BlobKey, range: &Range<u64>) -> BlobError {
    BlobError::BadRange { key: key.clone(), start: range.start, end: range.end }
}

#[async_trait]
impl BlobStore for S3 {
    async fn put_file(&self, key: &BlobKey, path: &Path) -> Result<BlobInfo, BlobError> {
        let mut file = tokio::fs::File::open(path).await?;
        file.set_max_buf_size(copy::BUFFER_BYTES);
        let info = copy::fingerprint(&mut file).await?;
        drop(file);
        self.upload(key, path, &info).await?;
        Ok(info)
    }

    async fn put_stream(
        &self,
        key: &BlobKey,
        source: &mut (dyn AsyncRead + Send + Unpin),
        limit: u64,
    ) -> Result<BlobInfo, BlobError> {
        let name = format!("ytcaption-upload-{}", uuid::Uuid::new_v4().simple());
        let spool = Unfinished(std::env::temp_dir().join(name));
        let mut file = copy::create_private(&spool.0).await?;
        let info = copy::hashed(source, &mut file, Some(limit)).await?;
        drop(file);
        self.upload(key, &spool.0, &info).await?;
        Ok(info)
    }

    async fn open(&self, key: &BlobKey) -> Result<BlobReader, BlobError> {
        self.read(key, None).await
    }

    async fn open_range(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobReader, BlobError> {
        if range.is_empty() {
            return Err(bad_range(key, &range));
        }
        self.read(key, Some(range)).await
    }

    async fn info(&self, key: &BlobKey) -> Result<BlobInfo, BlobError> {
        let head = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .send()
            .await
            .map_err(|e| self.fault(&e, Some(key)))?;
        let bytes = head.content_length().and_then(|n| u64::try_from(n).ok());
        let sha256 = head.metadata().and_then(|m| m.get(FINGERPRINT));
        match (bytes, sha256) {
            (Some(bytes), Some(sha256)) => Ok(BlobInfo { bytes, sha256: sha256.clone() }),
            _ => copy::fingerprint(&mut self.read(key, None).await?).await,
        }
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        let request = self.client.delete_object().bucket(&self.bucket).key(key.as_str());
        match request.send().await.map_err(|e| self.fault(&e, Some(key))) {
            // Amazon answers 204 for a missing object, some other services 404.
            Ok(_) | Err(BlobError::NotFound { .. }) => Ok(()),
            Err(other) => Err(other),
        }
    }

    async fn check(&self) -> Result<(), BlobError> {
        let request = self.client.head_bucket().bucket(&self.bucket).send();
        match tokio::time::timeout(CHECK_TIMEOUT, request).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.fault(&error, None)),
            Err(_) => Err(self.unreachable(&format!(
                "no answer within {} s; is the service running and the address right?",
                CHECK_TIMEOUT.as_secs()
            ))),
        }
    }

    async fn presigned_get(&self, key: &BlobKey, valid_for: Duration) -> Result<Option<Url>, BlobError> {
        let invalid = |e: &dyn fmt::Display| BlobError::Io(std::io::Error::other(e.to_string()));
        let presigning = PresigningConfig::expires_in(valid_for).map_err(|e| invalid(&e))?;
        let signed = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .presigned(presigning)
            .await
            .map_err(|e| self.fault(&e, Some(key)))?;
        Url::parse(signed.uri()).map(Some).map_err(|e| invalid(&e))
    }
}

#[cfg(test)]
mod tests;
