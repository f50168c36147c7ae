//! The keys of a deployment that wrap data keys.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde::{Serialize, Serializer};

use super::cipher::{DataKey, KEY_BYTES};
use super::error::{DecryptError, MasterKeyError};

/// Bytes of a [`MasterKeyId`].
const ID_BYTES: usize = 4;
/// Hashed before a key to make its id, so that the id is a hash of nothing else.
const ID_CONTEXT: &[u8] = b"ytcaption master key id\n";

/// Identifies a master key without revealing it: the first four bytes of a hash, written as eight hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MasterKeyId([u8; ID_BYTES]);

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl Serialize for MasterKeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl MasterKeyId {
    /// The id that a wrapped data key begins with.
    pub(super) fn of_wrapped(wrapped: &[u8]) -> Option<Self> {
        wrapped.first_chunk().copied().map(Self)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A new master key, as [`MasterKeys::parse`] reads it: 32 random bytes in base64.
///
/// # Errors
/// The random source does not answer.
pub fn generate_master_key() -> Result<SecretString, MasterKeyError> {
    let mut bytes = [0; KEY_BYTES];
    rand::fill(&mut bytes).map_err(|_| MasterKeyError::Random)?;
    Ok(STANDARD.encode(bytes).into())
}

/// The current master key and those before it, which still unwrap what they wrapped. `Debug` shows ids only.
#[derive(Debug)]
pub struct MasterKeys {
    current: MasterKey,
    previous: Vec<MasterKey>,
}

struct MasterKey {
    id: MasterKeyId,
    key: RandomizedNonceKey,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

impl MasterKeys {
    /// Keys in base64, each 32 bytes; white space around them does not count.
    ///
    /// # Errors
    /// One of them is malformed.
    pub fn parse<'a>(current: &str, previous: impl IntoIterator<Item = &'a str>) -> Result<Self, MasterKeyError> {
        let previous = previous.into_iter().map(MasterKey::parse).collect::<Result<_, _>>()?;
        Ok(Self { current: MasterKey::parse(current)?, previous })
    }

    /// Names the current key.
    pub fn current_id(&self) -> MasterKeyId {
        self.current.id
    }

    pub(super) fn has(&self, id: MasterKeyId) -> bool {
        std::iter::once(&self.current).chain(&self.previous).any(|key| key.id == id)
    }

    /// A data key for the store: the id of the master key (4 bytes), a nonce (12), the encrypted key (32) and its tag (16).
    pub(super) fn wrap(&self, data_key_id: &str, bytes: &[u8; KEY_BYTES]) -> Result<Vec<u8>, MasterKeyError> {
        let mut sealed = bytes.to_vec();
        let nonce = self.current.key.seal_in_place_append_tag(aad(data_key_id), &mut sealed);
        let nonce = nonce.map_err(|_| MasterKeyError::Random)?;
        Ok([self.current.id.as_bytes(), nonce.as_ref(), &sealed].concat())
    }

    /// The bytes of a stored data key.
    pub(super) fn unwrap(&self, data_key_id: &str, wrapped: &[u8]) -> Result<[u8; KEY_BYTES], DecryptError> {
        let id = MasterKeyId::of_wrapped(wrapped).ok_or(DecryptError::DataKey)?;
        let mut keys = std::iter::once(&self.current).chain(&self.previous);
        let master = keys.find(|key| key.id == id).ok_or(DecryptError::UnknownMasterKey(id))?;
        let (nonce, sealed) = wrapped[ID_BYTES..].split_at_checked(NONCE_LEN).ok_or(DecryptError::DataKey)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| DecryptError::DataKey)?;
        let mut sealed = sealed.to_vec();
        let opened = master.key.open_in_place(nonce, aad(data_key_id), &mut sealed);
        let opened: &[u8] = opened.map_err(|_| DecryptError::DataKey)?;
        opened.try_into().map_err(|_| DecryptError::DataKey)
    }

    /// A new data key, also as it is stored.
    pub(super) fn new_data_key(&self, data_key_id: &str) -> Result<(DataKey, Vec<u8>), MasterKeyError> {
        let mut bytes = [0; KEY_BYTES];
        rand::fill(&mut bytes).map_err(|_| MasterKeyError::Random)?;
        let key = DataKey::from_bytes(&bytes).map_err(|_| MasterKeyError::Random)?;
        Ok((key, self.wrap(data_key_id, &bytes)?))
    }
}

impl MasterKey {
    fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| MasterKeyError::Malformed)?;
        if bytes.len() != KEY_BYTES {
            return Err(MasterKeyError::Malformed);
        }
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| MasterKeyError::Malformed)?;
        let hash = digest(&SHA256, &[ID_CONTEXT, &bytes].concat());
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&hash.as_ref()[..ID_BYTES]);
        Ok(Self { id: MasterKeyId(id), key })
    }
}

/// Binds a wrapped key to its row.
fn aad(data_key_id: &str) -> Aad<Vec<u8>> {
    Aad::from(format!("ytcaption data key {data_key_id}").into_bytes())
}
