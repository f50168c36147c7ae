//! The servers and the storage that all processes share.

use std::path::Path;

use ytcaption_blobstore::{BlobSettings, S3Settings};

use super::kind;
use super::reader::Reader;
use super::secret::Secret;

#[derive(Debug, Clone)]
pub(crate) struct Database {
    /// None: `up` manages a Postgres of its own.
    pub(crate) url: Option<Secret>,
    /// None: the role in `url` keeps the schema itself.
    pub(crate) owner_url: Option<Secret>,
    pub(crate) max_connections: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Nats {
    /// None: `up` manages a nats-server of its own.
    pub(crate) url: Option<Secret>,
}

pub(super) fn database(r: &mut Reader<'_>) -> Database {
    r.section("database", "Postgres, the truth: events and what is read from them.");
    let example = "postgres://user:password@host:5432/ytcaption";
    let url = r.optional(
        "database.url",
        "Also DATABASE_URL. Without it `ytcaption up` starts a Postgres of its own.",
        example,
        kind::server(&["postgres", "postgresql"], example),
    );
    let owner_url = r.optional(
        "database.owner_url",
        "The same database as its owner, for `ytcaption migrate`: makes the schema, makes the role in database.url where\n\
         it is missing, and lets it add and read events, never change them. No service needs it.",
        "postgres://owner:password@host:5432/ytcaption",
        kind::server(&["postgres", "postgresql"], example),
    );
    if owner_url.is_some() && url.is_none() {
        r.fault("database.owner_url", "is of use only together with database.url, the role that is let in");
    }
    Database {
        url,
        owner_url,
        max_connections: r.value(
            "database.max_connections",
            "Most connections one process opens.",
            20,
            kind::number(4..=1000),
        ),
    }
}

pub(super) fn nats(r: &mut Reader<'_>) -> Nats {
    r.section("nats", "NATS JetStream (2.10 or newer): carries events to the workers.");
    let example = "nats://user:password@host:4222";
    Nats {
        url: r.optional(
            "nats.url",
            "Also NATS_URL. Without it `ytcaption up` starts a nats-server of its own.",
            example,
            kind::server(&["nats", "tls"], example),
        ),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Storage {
    Folder,
    S3,
}

pub(super) fn storage(r: &mut Reader<'_>, data_dir: &Path) -> BlobSettings {
    r.section("storage", "Where audio and uploads lie. All processes must see the same storage.");
    let chosen = r.value(
        "storage.kind",
        "\"folder\" or \"s3\".",
        Storage::Folder,
        kind::one_of(&[("folder", Storage::Folder), ("s3", Storage::S3)]),
    );
    let path = r.optional(
        "storage.path",
        "The folder, for kind \"folder\". Default: `blobs` in the data folder.",
        "/srv/ytcaption/blobs",
        kind::path(),
    );
    let bucket = r.optional("storage.bucket", "The bucket, for kind \"s3\".", "ytcaption", kind::text());
    let endpoint = r.optional(
        "storage.endpoint",
        "Address of a service other than Amazon's.",
        "http://garage:3900",
        kind::web_address(),
    );
    let region = r.value("storage.region", "Region to sign for.", "us-east-1".to_owned(), kind::text());
    let path_style = r.optional(
        "storage.path_style",
        "Whether the bucket stands in the path instead of the host name. Default: true with an endpoint.",
        true,
        kind::flag(),
    );
    let access_key_id = r.optional(
        "storage.access_key_id",
        "Left out: AWS_ACCESS_KEY_ID, the shared profile files, or the instance's role.",
        "GK0123456789",
        kind::text(),
    );
    let secret_access_key = r.optional(
        "storage.secret_access_key",
        "Belongs to access_key_id.",
        "keep it out of files: YTCAPTION_STORAGE__SECRET_ACCESS_KEY",
        kind::secret("a text that is not empty", |text| !text.is_empty()),
    );
    if access_key_id.is_some() != secret_access_key.is_some() {
        r.fault("storage.access_key_id", "must be given together with storage.secret_access_key, or neither");
    }
    match chosen {
        Storage::Folder => {
            if bucket.is_some() {
                r.fault("storage.bucket", "is for kind \"s3\"; set storage.kind = \"s3\" or remove it");
            }
            BlobSettings::Folder { path: path.unwrap_or_else(|| data_dir.join("blobs")) }
        }
        Storage::S3 => {
            if bucket.is_none() && !r.is_set("storage.bucket") {
                r.fault("storage.bucket", "is missing; kind \"s3\" needs the name of an existing bucket");
            }
            BlobSettings::S3(S3Settings {
                bucket: bucket.unwrap_or_default(),
                endpoint: endpoint.map(|url| url.as_str().trim_end_matches('/').to_owned()),
                region,
                path_style,
                access_key_id,
                secret_access_key: secret_access_key.map(|secret| secret.reveal().to_owned()),
            })
        }
    }
}
