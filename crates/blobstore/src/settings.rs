//! Which store to open, as it stands in the settings file.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use crate::{BlobError, BlobStore, LocalFolder, S3};

/// Where blobs live: `{ kind = "folder", path = … }` or `{ kind = "s3", bucket = …, … }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum BlobSettings {
    /// A folder of this machine (or one shared by all machines, such as NFS).
    Folder {
        /// The folder; created, readable by its owner only, when missing.
        path: PathBuf,
    },
    /// A bucket of Amazon S3 or of a service that speaks its protocol.
    S3(S3Settings),
}

/// A bucket and how to reach it.
///
/// Credentials come from here, or, when left out, from where AWS programs look for them:
/// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, the shared profile files, the instance's role.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Settings {
    /// The bucket's name. It must exist.
    pub bucket: String,
    /// Address of the service, such as `http://garage:3900`; left out for Amazon itself.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Region to sign for; services other than Amazon mostly take any.
    #[serde(default = "default_region")]
    pub region: String,
    /// Whether the bucket stands in the path (`host/bucket/key`) rather than in the host name.
    /// Left out: true exactly when `endpoint` is given.
    #[serde(default)]
    pub path_style: Option<bool>,
    /// Access key, given together with `secret_access_key`.
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// Secret key; never shown in logs.
    #[serde(default)]
    pub secret_access_key: Option<String>,
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Settings")
            .field("bucket", &self.bucket)
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("path_style", &self.path_style)
            .field("access_key_id", &self.access_key_id)
            .field("secret_access_key", &self.secret_access_key.as_ref().map(|_| "…"))
            .finish()
    }
}

/// Opens the store that `settings` name.
///
/// A folder is created when missing. An S3 service is not contacted yet, so that a process can
/// start before it: ask [`BlobStore::check`].
///
/// # Errors
/// [`BlobError::Unreachable`] when the folder cannot be made or the settings do not fit together.
pub async fn open(settings: &BlobSettings) -> Result<Arc<dyn BlobStore>, BlobError> {
    Ok(match settings {
        BlobSettings::Folder { path } => Arc::new(LocalFolder::open(path).await?),
        BlobSettings::S3(s3) => Arc::new(S3::open(s3).await?),
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{BlobSettings, S3Settings};

    #[test]
    fn both_kinds_read_from_toml_with_their_defaults() {
        assert_eq!(
            toml::from_str("kind = \"folder\"\npath = \"/srv/blobs\"").ok(),
            Some(BlobSettings::Folder { path: PathBuf::from("/srv/blobs") })
        );
        assert_eq!(
            toml::from_str("kind = \"s3\"\nbucket = \"captions\"").ok(),
            Some(BlobSettings::S3(S3Settings {
                bucket: "captions".into(),
                endpoint: None,
                region: "us-east-1".into(),
                path_style: None,
                access_key_id: None,
                secret_access_key: None,
            }))
        );
    }

    #[test]
    fn a_misspelt_setting_is_named() {
        for text in ["kind = \"folder\"\npath = \"/x\"\npaht = 1", "kind = \"s3\"\nbucket = \"b\"\npaht = 1"] {
            let fault = toml::from_str::<BlobSettings>(text).err().map(|e| e.to_string());
            assert!(fault.is_some_and(|f| f.contains("paht")), "{text}");
        }
    }

    #[test]
    fn the_secret_stays_out_of_debug_output() {
        let text = "kind = \"s3\"\nbucket = \"b\"\nsecret_access_key = \"hush\"";
        let shown = format!("{:?}", toml::from_str::<BlobSettings>(text));
        assert!(shown.contains("bucket") && !shown.contains("hush"));
    }
}
