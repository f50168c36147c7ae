//! Which blob store is used and how it is reached: the section `[storage]` of the settings.
#![expect(clippy::doc_markdown, reason = "these texts are comments in ytcaption.toml, which is not Markdown")]

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{BlobError, BlobStore, LocalDirectory, S3};

/// Where audio and uploads are stored. All processes must use the same storage.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BlobSettings {
    /// "directory" (of this machine, or shared by all machines, such as NFS) or "s3".
    pub kind: BlobStoreKind,
    /// The directory, for kind "directory". It is created, readable by its owner only. A relative path is within
    /// data_dir.
    pub path: PathBuf,
    /// The bucket, for kind "s3". It must exist.
    #[schemars(example = &"ytcaption")]
    pub bucket: Option<String>,
    /// URL of an S3 service other than Amazon's.
    #[schemars(example = &"http://garage:3900")]
    pub endpoint: Option<Url>,
    /// Region to sign requests for; services other than Amazon mostly accept any.
    pub region: String,
    /// Whether the bucket is part of the path (host/bucket/key) instead of the host name. Default: true with an
    /// endpoint.
    #[schemars(example = true)]
    pub path_style: Option<bool>,
    /// Access key, given together with secret_access_key. Without both, they are taken from AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY, the shared profile files, or the role of the instance.
    #[schemars(example = &"GK0123456789")]
    pub access_key_id: Option<String>,
    /// Secret key that belongs to access_key_id.
    #[schemars(
        with = "Option<String>",
        extend("format" = "password"),
        example = &"keep it out of files: YTCAPTION_STORAGE__SECRET_ACCESS_KEY"
    )]
    pub secret_access_key: Option<SecretString>,
}

/// The kinds of blob store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BlobStoreKind {
    /// A directory.
    #[default]
    Directory,
    /// A bucket of Amazon S3 or of a service that speaks its protocol.
    S3,
}

impl Default for BlobSettings {
    fn default() -> Self {
        Self {
            kind: BlobStoreKind::default(),
            path: "blobs".into(),
            bucket: None,
            endpoint: None,
            region: "us-east-1".to_owned(),
            path_style: None,
            access_key_id: None,
            secret_access_key: None,
        }
    }
}

impl BlobSettings {
    /// The directory that holds the blobs, unless they are in a bucket.
    pub fn directory(&self) -> Option<&std::path::Path> {
        (self.kind == BlobStoreKind::Directory).then_some(&self.path)
    }
}

/// Opens the store that `settings` name.
///
/// A directory is created when missing. An S3 service is not contacted yet, so that a process can start before it:
/// call [`BlobStore::check`].
///
/// # Errors
/// [`BlobError::Unreachable`] when the directory cannot be created or the settings do not fit together.
pub async fn open(settings: &BlobSettings) -> Result<Arc<dyn BlobStore>, BlobError> {
    Ok(match settings.kind {
        BlobStoreKind::Directory => Arc::new(LocalDirectory::open(&settings.path).await?),
        BlobStoreKind::S3 => Arc::new(S3::open(settings).await?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_read_from_toml_with_their_defaults() {
        let directory: BlobSettings = toml::from_str("path = \"/srv/blobs\"").expect("valid settings");
        assert_eq!(directory.directory(), Some(std::path::Path::new("/srv/blobs")));
        let s3: BlobSettings = toml::from_str("kind = \"s3\"\nbucket = \"captions\"").expect("valid settings");
        assert_eq!(
            (s3.kind, s3.bucket.as_deref(), s3.region.as_str()),
            (BlobStoreKind::S3, Some("captions"), "us-east-1")
        );
        assert_eq!(s3.directory(), None);
    }

    #[test]
    fn a_misspelt_setting_is_named() {
        let error =
            toml::from_str::<BlobSettings>("path = \"/x\"\npaht = 1").expect_err("a misspelt setting").to_string();
        assert!(error.contains("paht"), "{error}");
    }

    #[test]
    fn the_secret_stays_out_of_debug_output() {
        let text = "kind = \"s3\"\nbucket = \"b\"\nsecret_access_key = \"hush\"";
        let shown = format!("{:?}", toml::from_str::<BlobSettings>(text));
        assert!(shown.contains("bucket") && !shown.contains("hush"));
    }
}
