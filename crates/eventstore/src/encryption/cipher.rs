//! Encrypts and decrypts the personal values of a payload: AES-256-GCM with a random nonce for each value.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ytcaption_domain::personal::{EncryptedValue, PersonalPart, replace_encrypted};

use super::error::{DecryptError, MasterKeyError};

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;

/// The key of the personal content of a job. Cheap to clone.
#[derive(Clone)]
pub(crate) struct DataKey(Arc<RandomizedNonceKey>);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey")
    }
}

impl DataKey {
    pub(super) fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Result<Self, Unspecified> {
        RandomizedNonceKey::new(&AES_256_GCM, bytes).map(|key| Self(Arc::new(key)))
    }
}

/// What a ciphertext is bound to, beside its path: it does not decrypt in another event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventIdentity<'a> {
    pub(crate) aggregate_type: &'a str,
    pub(crate) aggregate_id: &'a str,
    pub(crate) sequence: u64,
    pub(crate) event_type: &'a str,
}

impl EventIdentity<'_> {
    fn aad(&self, path: &str) -> Aad<Vec<u8>> {
        let Self { aggregate_type, aggregate_id, sequence, event_type } = self;
        // As JSON, so that the parts cannot run into each other.
        let parts = serde_json::to_vec(&(aggregate_type, aggregate_id, sequence, event_type, path));
        Aad::from(parts.expect("texts and a number are JSON"))
    }
}

/// Replaces the personal values of a payload by their stored form; by that of an erased value if the key is gone.
///
/// # Errors
/// The random source does not answer.
pub(crate) fn encrypt_payload(
    key: Option<&DataKey>,
    event: EventIdentity<'_>,
    parts: &[PersonalPart],
    payload: &mut Value,
) -> Result<(), MasterKeyError> {
    for part in parts {
        let Some(value) = part.find_in(payload) else { continue };
        let encrypted = match key {
            Some(key) => encrypt(key, event.aad(&part.dotted_path()), value)?,
            None => String::new(),
        };
        *value = serde_json::json!(EncryptedValue { encrypted, kind: part.kind });
    }
    Ok(())
}

fn encrypt(key: &DataKey, aad: Aad<Vec<u8>>, value: &Value) -> Result<String, MasterKeyError> {
    let mut text = value.to_string().into_bytes();
    let nonce = key.0.seal_in_place_append_tag(aad, &mut text).map_err(|_| MasterKeyError::Random)?;
    Ok(STANDARD.encode([&nonce.as_ref()[..], &text].concat()))
}

/// Replaces the encrypted values of a stored payload by the values themselves; returns whether there are erased ones.
/// `key` is called at most once, and only if a value is encrypted.
///
/// # Errors
/// See [`DecryptError`]; the payload may then be decrypted in part.
pub(crate) fn decrypt_payload(
    key: impl FnOnce() -> Result<Option<DataKey>, DecryptError>,
    event: EventIdentity<'_>,
    payload: &mut Value,
) -> Result<bool, DecryptError> {
    let (mut unopened, mut opened, mut erased) = (Some(key), None, false);
    replace_encrypted(payload, |path, value| {
        if let Some(key) = unopened.take() {
            opened = key()?;
        }
        match &opened {
            Some(key) if !value.encrypted.is_empty() => decrypt(key, event.aad(path), &value.encrypted)
                .ok_or_else(|| DecryptError::Value { path: path.to_owned() }),
            _ => {
                erased = true;
                Ok(value.kind.erased())
            }
        }
    })?;
    Ok(erased)
}

fn decrypt(key: &DataKey, aad: Aad<Vec<u8>>, encrypted: &str) -> Option<Value> {
    let mut bytes = STANDARD.decode(encrypted).ok()?;
    let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let text = key.0.open_in_place(nonce, aad, sealed).ok()?;
    serde_json::from_slice(text).ok()
}
