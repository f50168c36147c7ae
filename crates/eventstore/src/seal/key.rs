//! The keys that sign and verify seals: Ed25519, in the forms of C2SP `signed-note`.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

use super::chain::sha256;

/// Who signs, in every note; part of the key's id.
const NAME: &str = "ytcaption.events";
/// Ed25519 among the algorithms of signed notes.
const ED25519_KIND: u8 = 1;
/// Bytes of a public key.
const PUBLIC_KEY_BYTES: usize = 32;
/// Around a private key in PEM (RFC 7468).
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";
/// Characters of a line in PEM.
const PEM_LINE: usize = 64;

/// A text that is not a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is not a private key.
    #[error("it holds no Ed25519 key in PEM (PKCS #8); `openssl genpkey -algorithm ed25519` makes one")]
    Private,
    /// It is not a public key.
    #[error(
        "`{0}` is not a public key of seals; expected {NAME}+<8 hex digits>+<base64>, as `ytcaption events checkpoint --json` and `ytcaption backup` print it"
    )]
    Public(String),
    /// The random source failed.
    #[error("no key can be made: the random source of this machine does not answer")]
    Random,
}

/// Signs seals. Its `Debug` form does not contain the key.
pub struct SealingKey(Ed25519KeyPair);

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.verifying_key())
    }
}

impl SealingKey {
    /// A new key.
    ///
    /// # Errors
    /// The random source does not answer.
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self(Ed25519KeyPair::generate().map_err(|_| KeyError::Random)?))
    }

    /// The key in a PEM file.
    ///
    /// # Errors
    /// There is none in it.
    pub fn from_pem(pem: &SecretString) -> Result<Self, KeyError> {
        let (_, rest) = pem.expose_secret().split_once(PEM_BEGIN).ok_or(KeyError::Private)?;
        let (body, _) = rest.split_once(PEM_END).ok_or(KeyError::Private)?;
        let body: String = body.split_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| KeyError::Private)?;
        Ok(Self(Ed25519KeyPair::from_pkcs8(&der).map_err(|_| KeyError::Private)?))
    }

    /// The key as a PEM file.
    ///
    /// # Errors
    /// The key cannot be taken out of the library.
    pub fn to_pem(&self) -> Result<SecretString, KeyError> {
        let der = self.0.to_pkcs8v1().map_err(|_| KeyError::Private)?;
        let text = STANDARD.encode(der.as_ref());
        let mut pem = format!("{PEM_BEGIN}\n");
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(PEM_LINE.min(rest.len()));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        Ok((pem + PEM_END + "\n").into())
    }

    /// The key that verifies what this one signs.
    pub fn verifying_key(&self) -> VerifyingKey {
        let mut bytes = [0; PUBLIC_KEY_BYTES];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        VerifyingKey { name: NAME.to_owned(), bytes }
    }

    pub(super) fn sign(&self, text: &str) -> Vec<u8> {
        self.0.sign(text.as_bytes()).as_ref().to_vec()
    }
}

/// Verifies seals. Written as `<name>+<id>+<base64>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    bytes: [u8; PUBLIC_KEY_BYTES],
}

impl VerifyingKey {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of SHA-256 of the name, a line feed, the algorithm and the key.
    pub(super) fn id(&self) -> [u8; 4] {
        let hash = sha256(&[self.name.as_bytes(), b"\n", &[ED25519_KIND], &self.bytes].concat());
        [hash[0], hash[1], hash[2], hash[3]]
    }

    pub(super) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.bytes).verify(text.as_bytes(), signature).is_ok()
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[ED25519_KIND][..], &self.bytes].concat());
        write!(f, "{}+{:08x}+{key}", self.name, u32::from_be_bytes(self.id()))
    }
}

impl FromStr for VerifyingKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = parse(text.trim()).filter(|key| key.to_string() == text.trim());
        key.ok_or_else(|| KeyError::Public(text.trim().to_owned()))
    }
}

/// The key that such a text would be of, if its id is right.
fn parse(text: &str) -> Option<VerifyingKey> {
    // Base64 may hold a plus sign, a name and an id cannot.
    let mut fields = text.splitn(3, '+');
    let (name, _, key) = (fields.next()?, fields.next()?, STANDARD.decode(fields.next()?).ok()?);
    let bytes = key.strip_prefix(&[ED25519_KIND])?.try_into().ok()?;
    Some(VerifyingKey { name: name.to_owned(), bytes })
}
