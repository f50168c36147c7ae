//! Encryption of the personal content of events, so that it can be erased without changing an event.
//!
//! ```text
//! master key (a file of the deployment) ── wraps ──▶ data key (table data_keys, one for each job)
//!                                                       └── encrypts ──▶ personal values in payloads of events
//! ```
//!
//! Payloads are encrypted before they are appended and decrypted when they are read; seals and exports hold the stored
//! form. Which values are personal, and how they are stored, is in [`ytcaption_domain::personal`]. A deleted data key
//! makes the values it encrypted unreadable for good: they read as erased.

mod cipher;
mod data_keys;
mod error;
mod key_file;
mod master_key;

pub use data_keys::{DataKeys, KeyCount, KeysImported, Rewrapped};
pub use error::{DecryptError, KeyError, MasterKeyError};
pub use key_file::{DataKeyLine, KeyFileError};
pub use master_key::{MasterKeyId, MasterKeys, generate_master_key};

pub(crate) use cipher::{DataKey, EventIdentity, decrypt_payload, encrypt_payload};

#[cfg(test)]
mod tests;
