//! Who may use a proxy: whoever was told its password when it was started.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::HeaderMap;
use hyper::header::PROXY_AUTHORIZATION;
use uuid::Uuid;

/// The user that programs name; only the password counts.
const USER: &str = "download";

/// The password, as it stands in a request (Basic, RFC 7617).
pub(super) struct Key {
    header: String,
}

impl Key {
    /// A new one, and how it is written in an address (`user:password`). 244 of its bits are random.
    pub(super) fn generate() -> (Self, String) {
        let userinfo = format!("{USER}:{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        (Self { header: format!("Basic {}", BASE64_STANDARD.encode(&userinfo)) }, userinfo)
    }

    pub(super) fn opens(&self, headers: &HeaderMap) -> bool {
        let fits = |given: &[u8]| verify_slices_are_equal(given, self.header.as_bytes()).is_ok();
        headers.get(PROXY_AUTHORIZATION).is_some_and(|given| fits(given.as_bytes()))
    }
}
