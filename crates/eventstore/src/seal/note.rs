//! Signed notes: <https://github.com/C2SP/C2SP/blob/main/signed-note.md>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::{SealingKey, VerifyingKey};

/// Before each signature.
const SIGNATURE: &str = "— ";
/// Bytes of a key's id, which precede the signature.
const ID_BYTES: usize = 4;

/// A note of a text, which ends with a line feed: the text and its signature.
pub fn sign(text: &str, key: &SealingKey) -> String {
    let by = key.verifying_key();
    let signature = STANDARD.encode([&by.id()[..], &key.sign(text)].concat());
    format!("{text}\n{SIGNATURE}{} {signature}\n", by.name())
}

/// The text of a note.
pub fn text(note: &str) -> Option<&str> {
    let (text, _) = note.rsplit_once(&format!("\n\n{SIGNATURE}"))?;
    // The line feed that ends the text is signed, the empty line is not.
    note.get(..=text.len())
}

/// Whether the note bears a signature by this key.
pub fn is_signed_by(note: &str, key: &VerifyingKey) -> bool {
    let Some(text) = text(note) else { return false };
    note[text.len()..].lines().filter_map(|line| line.strip_prefix(SIGNATURE)).any(|signature| {
        let Some((name, signature)) = signature.rsplit_once(' ') else { return false };
        let Ok(bytes) = STANDARD.decode(signature) else { return false };
        name == key.name() && bytes.starts_with(&key.id()) && key.verifies(text, &bytes[ID_BYTES..])
    })
}
