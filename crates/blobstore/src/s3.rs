//! Blobs as objects of an S3 bucket.

mod error;
mod upload;

use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    Credentials, RequestChecksumCalculation, ResponseChecksumValidation, SharedCredentialsProvider,
};
use secrecy::ExposeSecret as _;
use tokio::io::AsyncRead;

use crate::copy::{self, Unfinished};
use crate::{BlobError, BlobInfo, BlobKey, BlobReader, BlobSettings, BlobStore, StoredBlob};

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
    service: String,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3({} at {})", self.bucket, self.service)
    }
}

impl S3 {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`BlobError::Unreachable`] when the settings do not fit together.
    pub async fn open(settings: &BlobSettings) -> Result<Self, BlobError> {
        let unusable = |hint: &str| BlobError::Unreachable { hint: hint.to_owned() };
        let bucket =
            settings.bucket.clone().ok_or_else(|| unusable("bucket is missing; set it to an existing bucket"))?;
        let endpoint = settings.endpoint.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
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
        if let Some(endpoint) = &endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        match (&settings.access_key_id, &settings.secret_access_key) {
            (None, None) => {}
            (Some(id), Some(secret)) => {
                let keys = Credentials::new(id, secret.expose_secret(), None, None, "ytcaption settings");
                loader = loader.credentials_provider(SharedCredentialsProvider::new(keys));
            }
            _ => {
                return Err(unusable(
                    "access_key_id and secret_access_key must be given together, or both left to AWS_ACCESS_KEY_ID and \
                     AWS_SECRET_ACCESS_KEY",
                ));
            }
        }
        let path_style = settings.path_style.unwrap_or(endpoint.is_some());
        let config = aws_sdk_s3::config::Builder::from(&loader.load().await).force_path_style(path_style).build();
        let service = endpoint.unwrap_or_else(|| format!("Amazon, region {}", settings.region));
        Ok(Self { client: Client::from_conf(config), bucket, service })
    }
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
        let request = self.client.get_object().bucket(&self.bucket).key(key.as_str());
        let answer = request.send().await.map_err(|e| self.error(&e, Some(key)))?;
        Ok(Box::new(Box::pin(answer.body.into_async_read())))
    }

    async fn info(&self, key: &BlobKey) -> Result<BlobInfo, BlobError> {
        let head = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .send()
            .await
            .map_err(|e| self.error(&e, Some(key)))?;
        let bytes = head.content_length().and_then(|n| u64::try_from(n).ok());
        let sha256 = head.metadata().and_then(|m| m.get(FINGERPRINT));
        match (bytes, sha256) {
            (Some(bytes), Some(sha256)) => Ok(BlobInfo { bytes, sha256: sha256.clone() }),
            _ => copy::fingerprint(&mut self.open(key).await?).await,
        }
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        let request = self.client.delete_object().bucket(&self.bucket).key(key.as_str());
        match request.send().await.map_err(|e| self.error(&e, Some(key))) {
            // Amazon answers 204 for a missing object, some other services 404.
            Ok(_) | Err(BlobError::NotFound { .. }) => Ok(()),
            Err(other) => Err(other),
        }
    }

    async fn list(&self, directory: &str, after: Option<&BlobKey>, limit: usize) -> Result<Vec<StoredBlob>, BlobError> {
        let (mut blobs, mut after) = (Vec::new(), after.map(|key| key.as_str().to_owned()));
        loop {
            let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(format!("{directory}/"));
            let page = request.set_start_after(after).send().await.map_err(|error| self.error(&error, None))?;
            for object in page.contents() {
                let key = object.key().and_then(|key| BlobKey::new(key).ok());
                let stored_at = object.last_modified().and_then(|time| SystemTime::try_from(*time).ok());
                if let (Some(key), Some(stored_at)) = (key, stored_at) {
                    blobs.push(StoredBlob { key, stored_at });
                }
            }
            after = page.contents().last().and_then(|object| object.key()).map(ToOwned::to_owned);
            if blobs.len() >= limit || after.is_none() || page.is_truncated() != Some(true) {
                blobs.truncate(limit);
                return Ok(blobs);
            }
        }
    }

    async fn check(&self) -> Result<(), BlobError> {
        let request = self.client.head_bucket().bucket(&self.bucket).send();
        match tokio::time::timeout(CHECK_TIMEOUT, request).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.error(&error, None)),
            Err(_) => Err(self.unreachable(&format!(
                "no answer within {} s; is the service running and the URL right?",
                CHECK_TIMEOUT.as_secs()
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
