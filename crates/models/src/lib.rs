//! The models of a machine, without the engine that runs them: which models exist ([`Catalogue`]), what their files say
//! ([`ModelInfo`], [`ModelFiles`]), how one is spread over the machine ([`Layout`]), and where they come from ([`hub`]).
//!
//! ```text
//!  Hugging Face hub ──pull──▶ directory of models ──▶ Catalogue ──name──▶ ModelEntry ──▶ ModelInfo, ModelFiles
//! ```
//!
//! Loading a model is the task of `ytcaption-whisper`.

#![warn(clippy::missing_errors_doc)]

mod catalogue;
mod consistency;
mod error;
mod files;
mod footprint;
pub mod hub;
mod info;
mod layout;
mod settings;
mod vocabulary;
mod weights;

pub use catalogue::{Catalogue, ModelEntry, scan};
pub use error::ModelError;
pub use files::{ENGLISH, ModelFiles};
pub use footprint::{Dimensions, Footprint};
pub use info::{ModelInfo, model_name};
pub use layout::{Layout, cores, default_memory_bytes};
pub use settings::{Checksums, ComputeType, Device, ModelSettings, ModelsSettings};
pub use vocabulary::{NO_TIMESTAMPS, START_OF_TRANSCRIPT, TIMESTAMP_STEP_MS, Vocabulary, language_code};
