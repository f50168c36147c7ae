//! Rules that the types of the sections cannot express: relations between settings, and the forms of texts.

use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};
use ytcaption_api::TrustedProxies;
use ytcaption_blobstore::BlobStoreKind;
use ytcaption_domain::network::AddressPolicy;

use super::Settings;
use super::reader::Reader;

/// Notes every rule that `settings` break.
pub(super) fn check(settings: &Settings, r: &mut Reader<'_>) {
    database(settings, r);
    storage(settings, r);
    for (key, url) in [
        ("api.public_url", settings.api.public_url.as_ref()),
        ("storage.endpoint", settings.storage.endpoint.as_ref()),
        ("models.endpoint", Some(&settings.models.endpoint)),
    ] {
        if url.is_some_and(|url| !matches!(url.scheme(), "http" | "https")) {
            r.error(key, "must begin with http:// or https://");
        }
    }
    if !settings.api.allowed_hosts.iter().all(|name| matches!(Host::parse(name), Ok(Host::Domain(_)))) {
        r.error("api.allowed_hosts", "each must be a host name such as captions.example.org, without scheme and port");
    }
    if let Err(error) = TrustedProxies::new(&settings.api) {
        r.error("api.trusted_proxies", &error.to_string());
    }
    if !settings.api.public_url.as_ref().is_none_or(ytcaption_api::is_public_url) {
        r.error(
            "api.public_url",
            "must have no user name, password, query or fragment, and a plain path such as /captions",
        );
    }
    if let Err(error) = AddressPolicy::new(&settings.network.allow) {
        r.error("network.allow", &error.to_string());
    }
    let is_token = |token: &SecretString| token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic());
    if !settings.models.token.as_ref().is_none_or(is_token) {
        r.error("models.token", "must be a text without blanks");
    }
    if !settings.webhook.secret.as_ref().is_none_or(is_webhook_secret) {
        r.error("webhook.secret", "must be 24 to 64 bytes in base64 (`whsec_` may precede them)");
    }
}

fn database(settings: &Settings, r: &mut Reader<'_>) {
    let (database, nats) = (&settings.database, &settings.nats);
    for (key, url, schemes, example) in [
        ("database.url", &database.url, ["postgres", "postgresql"], "postgres://user:password@host:5432/ytcaption"),
        (
            "database.owner_url",
            &database.owner_url,
            ["postgres", "postgresql"],
            "postgres://owner:password@host:5432/ytcaption",
        ),
        ("nats.url", &nats.url, ["nats", "tls"], "nats://user:password@host:4222"),
    ] {
        let is_server =
            |url: &SecretString| Url::parse(url.expose_secret()).is_ok_and(|url| schemes.contains(&url.scheme()));
        if !url.as_ref().is_none_or(is_server) {
            r.error(key, &format!("must be a URL such as {example}"));
        }
    }
    if database.owner_url.is_some() && !r.is_set("database.url") {
        r.error("database.owner_url", "needs database.url too, the role of the services");
    }
}

fn storage(settings: &Settings, r: &mut Reader<'_>) {
    let storage = &settings.storage;
    if storage.access_key_id.is_some() != storage.secret_access_key.is_some() {
        r.error("storage.access_key_id", "must be given together with storage.secret_access_key, or neither");
    }
    match storage.kind {
        BlobStoreKind::Directory if storage.bucket.is_some() => {
            r.error("storage.bucket", "is for kind \"s3\"; set storage.kind = \"s3\" or remove it");
        }
        BlobStoreKind::S3 if !r.is_set("storage.bucket") => {
            r.error("storage.bucket", "is missing; kind \"s3\" needs the name of an existing bucket");
        }
        BlobStoreKind::Directory | BlobStoreKind::S3 => {}
    }
}

/// Base64 of 24 to 64 bytes has 32 to 88 digits.
fn is_webhook_secret(secret: &SecretString) -> bool {
    let text = secret.expose_secret();
    let digits = text.strip_prefix("whsec_").unwrap_or(text);
    (32..=88).contains(&digits.len())
        && digits.len().is_multiple_of(4)
        && digits.trim_end_matches('=').chars().all(|c| c.is_ascii_alphanumeric() || "+/".contains(c))
}
