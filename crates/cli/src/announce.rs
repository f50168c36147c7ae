//! What a person sees on standard output when the API is up.

use std::net::SocketAddr;

use url::Url;

/// Says where the API is and who can reach it.
pub(crate) fn api(base: &Url, address: SocketAddr) {
    println!("YTCaption is ready.");
    println!("  API     {base}api/v1/transcriptions");
    println!("  Docs    {base}docs");
    println!("  Health  {base}health/ready");
    if address.ip().is_loopback() {
        println!("The API has no sign-in; it listens on loopback only, so it can be reached from this machine alone.");
    } else {
        println!();
        println!("WARNING: the API has no sign-in and listens on {address}: whoever reaches this port can use it.");
        println!("         Put a proxy with a sign-in before it, or set api.listen to 127.0.0.1:{}.", address.port());
    }
}
