//! How a model is loaded; names as in CTranslate2 and faster-whisper.

use ct2rs::sys;
use serde::{Deserialize, Serialize};

use super::ModelError;

/// Settings of a loaded model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSettings {
    /// Where it computes.
    pub device: Device,
    /// Which card, counted from 0; always 0 for the processor.
    pub device_index: i32,
    /// In which precision it computes.
    pub compute_type: ComputeType,
    /// Threads of one replica; 0 leaves it to CTranslate2 (up to 4). One is best for volume: with MKL
    /// one thread decodes more tokens a second than two.
    pub intra_threads: usize,
    /// Replicas that work side by side and share the weights; at least 1.
    pub inter_threads: usize,
    /// Compare the files with `SHA256SUMS`, where the folder has one.
    pub verify_checksums: bool,
    /// Seed of the random numbers that sampling at a temperature above zero draws.
    pub seed: u32,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            device: Device::default(),
            device_index: 0,
            compute_type: ComputeType::default(),
            intra_threads: 1,
            inter_threads: 1,
            verify_checksums: true,
            seed: 0,
        }
    }
}

impl ModelSettings {
    /// Refuses what this program or this machine cannot do, in words that say what to do instead: CTranslate2's own
    /// only say that it is so.
    pub(super) fn check(&self) -> Result<(), ModelError> {
        match self.device {
            Device::Cpu => match self.compute_type {
                ComputeType::Float16 | ComputeType::Int8Float16 => {
                    Err(ModelError::NotOnProcessor { compute_type: self.compute_type.as_str() })
                }
                _ => Ok(()),
            },
            Device::Cuda if !cfg!(feature = "cuda") => Err(ModelError::NoCuda),
            Device::Cuda => {
                let found = sys::get_device_count(sys::Device::CUDA);
                let there = (0..found).contains(&self.device_index);
                if there { Ok(()) } else { Err(ModelError::NoCard { index: self.device_index, found }) }
            }
        }
    }
}

/// What computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA card; only in a build with CUDA.
    Cuda,
}

/// Precision of the weights and of the arithmetic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComputeType {
    /// As the model was converted.
    #[default]
    Default,
    /// The fastest that this machine has.
    Auto,
    /// 32-bit floats.
    Float32,
    /// 8-bit integers.
    Int8,
    /// 8-bit integers, the rest in 32-bit floats.
    Int8Float32,
    /// 8-bit integers, the rest in 16-bit floats.
    Int8Float16,
    /// 8-bit integers, the rest in brain floats.
    Int8Bfloat16,
    /// 16-bit integers.
    Int16,
    /// 16-bit floats; not on a CPU.
    Float16,
    /// Brain floats.
    Bfloat16,
}

impl ComputeType {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Default,
        Self::Auto,
        Self::Float32,
        Self::Int8,
        Self::Int8Float32,
        Self::Int8Float16,
        Self::Int8Bfloat16,
        Self::Int16,
        Self::Float16,
        Self::Bfloat16,
    ];

    /// CTranslate2's name of it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Auto => "auto",
            Self::Float32 => "float32",
            Self::Int8 => "int8",
            Self::Int8Float32 => "int8_float32",
            Self::Int8Float16 => "int8_float16",
            Self::Int8Bfloat16 => "int8_bfloat16",
            Self::Int16 => "int16",
            Self::Float16 => "float16",
            Self::Bfloat16 => "bfloat16",
        }
    }
}

impl Device {
    /// CTranslate2's name of it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }
}
