//! How the REST interface is set up.

use std::net::{Ipv4Addr, SocketAddr};

use crate::Hosts;

const KIBIBYTE: u64 = 1024;
const GIBIBYTE: u64 = 1024 * 1024 * KIBIBYTE;
/// Port the interface listens on when no other is set.
const DEFAULT_PORT: u16 = 8000;

/// Settings of the REST interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSettings {
    /// Address and port. There is no sign-in yet, so it is loopback unless told otherwise.
    pub listen: SocketAddr,
    /// Names it answers to.
    pub hosts: Hosts,
    /// Largest recording that can be uploaded, in bytes.
    pub max_upload_bytes: u64,
    /// Largest JSON body, and largest sum of the text fields of a form, in bytes.
    pub max_body_bytes: u64,
}

impl Default for ApiSettings {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT));
        Self {
            listen,
            hosts: Hosts::new(listen, vec![], None),
            max_upload_bytes: 2 * GIBIBYTE,
            max_body_bytes: 64 * KIBIBYTE,
        }
    }
}
