//! Why a model cannot be loaded.

use std::path::PathBuf;

use ytcaption_models::ModelError;

/// A model cannot be loaded: its files are not usable, or the engine cannot do what its settings say.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The model's files.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The program was built without CUDA.
    #[error(
        "models.device is \"cuda\", but this program was built without it: build it with YTCAPTION_BACKEND=shared \
         (docs/operations.md says more), or set models.device to \"cpu\""
    )]
    NoCuda,
    /// There is no graphics card with that number.
    #[error(
        "there is no NVIDIA card number {index} (this machine shows {found}): check models.device_index, the driver \
         with `nvidia-smi`, and in a container that it was given the card"
    )]
    NoCard {
        /// The requested card, counted from 0.
        index: i32,
        /// How many cards CUDA reports.
        found: i32,
    },
    /// A precision that processors do not compute in.
    #[error(
        "models.compute_type \"{compute_type}\" needs an NVIDIA card; on a processor use \"auto\", \"int8\" or \"float32\""
    )]
    NotOnProcessor {
        /// The requested precision.
        compute_type: &'static str,
    },
    /// CTranslate2 failed to load it.
    #[error("the model in {} could not be loaded: {reason}", path.display())]
    Engine {
        /// The model's directory.
        path: PathBuf,
        /// CTranslate2's error message.
        reason: String,
    },
}
