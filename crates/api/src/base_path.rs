//! Where the interface is for its clients: behind a proxy its paths may begin with a prefix.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use url::Url;
use ytcaption_domain::JobId;

/// First segments of the paths of this interface.
pub(crate) const ROOTS: [&str; 6] = ["api", "docs", "health", "metrics", "openapi.json", "problems"];
/// Longest prefix, in bytes.
const MAX_BYTES: usize = 200;

/// What precedes every path of the interface in URLs for clients, such as `/captions`; often empty. Every link in an answer is
/// made by [`Self::join`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BasePath(Arc<str>);

impl BasePath {
    /// The path of a URL as a prefix; `None` if it is none: it does not begin with one `/`, or has characters or segments
    /// that would make another URL of a link, such as `//` or `..`.
    pub(crate) fn new(path: &str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let is_segment = |segment: &str| {
            !matches!(segment, "" | "." | "..")
                && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte))
        };
        let is_valid = match path.strip_prefix('/') {
            Some(segments) => path.len() <= MAX_BYTES && segments.split('/').all(is_segment),
            None => path.is_empty(),
        };
        is_valid.then(|| Self(path.into()))
    }

    /// The URL of a path of the interface, relative to the host.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// URL of a job.
    pub(crate) fn job(&self, job: JobId) -> String {
        self.join(&job_path(job))
    }

    /// URL of a job's captions.
    pub(crate) fn result(&self, job: JobId) -> String {
        format!("{}/result", self.job(job))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The URI without the prefix; `None` if it has none, as behind a proxy that has removed it. A path that is one of the
    /// interface as it is and none without the prefix has none: the prefix may be `/api`.
    pub(crate) fn strip(&self, uri: &Uri) -> Option<Uri> {
        let rest = uri.path().strip_prefix(&*self.0).filter(|_| !self.is_empty())?;
        let is_whole = rest.is_empty() || rest.starts_with('/');
        if !is_whole || (has_root(uri.path()) && !has_root(rest)) {
            return None;
        }
        let path = if rest.is_empty() { "/" } else { rest };
        let with_query = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(with_query.parse().ok()?);
        Uri::from_parts(parts).ok()
    }
}

/// Whether the setting `api.public_url` can be this: a URL below which the paths of the interface can be.
pub fn is_public_url(url: &Url) -> bool {
    let has_user = !url.username().is_empty() || url.password().is_some();
    !has_user && url.query().is_none() && url.fragment().is_none() && BasePath::new(url.path()).is_some()
}

/// Path of a job within the interface.
pub(crate) fn job_path(job: JobId) -> String {
    format!("{}/{job}", crate::transcriptions::COLLECTION)
}

fn has_root(path: &str) -> bool {
    path.split('/').nth(1).is_some_and(|first| ROOTS.contains(&first))
}

impl<S: Sync> FromRequestParts<S> for BasePath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_keeps_a_link_on_this_host_is_a_prefix() {
        for (path, joined) in [("", "/docs"), ("/", "/docs"), ("/a", "/a/docs"), ("/a/b-c_d.e~1/", "/a/b-c_d.e~1/docs")]
        {
            assert_eq!(BasePath::new(path).map(|base| base.join("/docs")).as_deref(), Some(joined), "{path}");
        }
        let long = format!("/{}", "a".repeat(MAX_BYTES));
        for other in ["a", "//evil.example", "/a//b", "/..", "/a/../b", "/a b", "/a?b", "/a\"", "/\\evil", &long] {
            assert_eq!(BasePath::new(other), None, "{other}");
        }
    }

    #[test]
    fn a_path_is_found_with_the_prefix_and_without() {
        for (base, path, stripped) in [
            ("/captions", "/captions/api/v1/usage?from=1", Some("/api/v1/usage?from=1")),
            ("/captions", "/captions", Some("/")),
            ("/captions", "/captions/", Some("/")),
            ("/captions", "/captions/nothing", Some("/nothing")),
            ("/captions", "/captionsx/docs", None),
            ("/captions", "/api/v1/usage", None),
            ("/api", "/api/v1/usage", None),
            ("/api", "/api/api/v1/usage", Some("/api/v1/usage")),
            ("", "/docs", None),
        ] {
            let uri = path.parse().expect("a URI");
            let found = BasePath::new(base).expect("a prefix").strip(&uri).map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), stripped, "{path} below {base}");
        }
    }

    #[test]
    fn a_public_url_has_nothing_that_links_must_not_have() {
        let is_public = |url: &str| is_public_url(&Url::parse(url).expect("a URL"));
        assert!(is_public("https://example.org") && is_public("http://example.org:8000/captions/"));
        for url in ["https://user@example.org", "https://user:password@example.org", "https://:p@example.org"] {
            assert!(!is_public(url), "{url}");
        }
        assert!(!is_public("https://example.org/?a=1") && !is_public("https://example.org/#a"));
    }
}
