//! Why keys or content cannot be used.

use super::MasterKeyId;

/// A text that is not a master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// It is not 32 bytes in base64.
    #[error("it is not a master key: expected 32 random bytes in base64, as `openssl rand -base64 32` makes them")]
    Malformed,
    /// There is none.
    #[error(
        "there is no master key: set encryption.master_key_file to a file that `openssl rand -base64 32` has written"
    )]
    Missing,
    /// The random source failed.
    #[error("no key can be made: the random source of this machine does not answer")]
    Random,
}

/// Why personal content of an event cannot be decrypted although its data key is stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// The master key that wrapped the data key is not one of this process.
    #[error(
        "its data key is wrapped with the master key {0}, which this process does not have: set encryption.master_key_file \
         to that key, or name its file in encryption.previous_key_files"
    )]
    UnknownMasterKey(MasterKeyId),
    /// The data key does not unwrap.
    #[error("its data key was changed in the table data_keys: restore data_keys from a backup")]
    DataKey,
    /// A value does not decrypt.
    #[error("`{path}` cannot be decrypted: the event was changed after it was written; restore it from a backup")]
    Value {
        /// Where it is in the payload, with dots between the names.
        path: String,
    },
}

/// Why this process cannot use the data keys of a database.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no master key, or no random bytes for a new key.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// A data key does not unwrap.
    #[error("the personal content of a job cannot be read: {0}")]
    DataKey(#[from] DecryptError),
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Unavailable(#[from] sqlx::Error),
}
