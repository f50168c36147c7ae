//! The models of this machine: which there are ([`Catalogue`]), which are in memory ([`ModelStore`]), whether they are
//! sound ([`verify`]), and where they come from ([`hub`]).
//!
//! ```text
//!  Hugging Face hub ──pull──▶ folder of models ──▶ Catalogue ──name──▶ ModelStore ──▶ Transcriber
//!                                                                     loads once, shares, unloads what was
//!                                                                     used longest ago
//! ```

mod catalogue;
pub mod hub;
mod layout;
mod store;
mod verify;

pub use catalogue::{Catalogue, Entry, scan};
pub use layout::{Layout, cores, default_memory_bytes};
pub use store::{ModelStore, StoreError, StoreSettings};
pub use verify::{Verified, VerifyError, verify};
