//! Where models are stored, where they are fetched from and how they are loaded: the section `[models]` of the settings.
#![expect(clippy::doc_markdown, reason = "these texts are comments in ytcaption.toml, which is not Markdown")]

use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{default_memory_bytes, hub};

const MEBIBYTE: u64 = 1024 * 1024;

/// Whisper models in CTranslate2 format; `ytcaption models` lists, fetches and verifies them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModelsSettings {
    /// Every directory in it is a model: faster-whisper downloads, or a Hugging Face cache (its `hub` directory).
    /// A relative path is within data_dir.
    pub directory: PathBuf,
    /// Memory for the weights of all loaded models, in MiB; to make room for another, the least recently used one is
    /// unloaded. Default: half of the memory of this machine.
    #[schemars(range(min = 1, max = 67_108_864), example = 8192)]
    pub memory_mib: Option<u64>,
    /// What computes: "cpu", or "cuda" in a program built for it.
    pub device: Device,
    /// Which NVIDIA card, counted from 0.
    #[schemars(range(min = 0, max = 255))]
    pub device_index: i32,
    /// Precision: "auto" is the fastest of the device (int8 on a processor), "default" as converted, or
    /// int8, int8_float32, int8_float16, int8_bfloat16, int16, float16 (NVIDIA only), bfloat16, float32.
    pub compute_type: ComputeType,
    /// URL that `models pull` fetches from: a Hugging Face hub or a mirror. Also HF_ENDPOINT.
    pub endpoint: Url,
    /// Signs in to the hub, for private and gated models; sent to models.endpoint only. Also HF_TOKEN.
    #[schemars(with = "Option<String>", extend("format" = "password"), example = &"keep it out of files: HF_TOKEN")]
    pub token: Option<SecretString>,
}

impl Default for ModelsSettings {
    fn default() -> Self {
        Self {
            directory: "models".into(),
            memory_mib: None,
            device: Device::default(),
            device_index: 0,
            compute_type: ComputeType::Auto,
            endpoint: Url::parse(hub::ENDPOINT).expect("a constant URL"),
            token: None,
        }
    }
}

impl ModelsSettings {
    /// Memory that the weights of all loaded models together may take, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_mib.map_or_else(default_memory_bytes, |mebibytes| mebibytes * MEBIBYTE)
    }
}

/// How a model is loaded; names as in CTranslate2 and faster-whisper. `[models]` and `[transcription]` of the settings
/// determine it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSettings {
    /// The processor, or a graphics card.
    pub device: Device,
    /// Number of the card, counted from 0; always 0 for the processor.
    pub device_index: i32,
    /// Precision of the weights in memory and of the arithmetic.
    pub compute_type: ComputeType,
    /// Threads of one replica; 0 leaves it to CTranslate2 (up to 4). One is best for volume: with MKL
    /// one thread decodes more tokens a second than two.
    pub intra_threads: usize,
    /// Replicas that work side by side and share the weights; at least 1.
    pub inter_threads: usize,
    /// Compare the files with `SHA256SUMS`, where the directory has that file.
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

/// Whether files are compared with `SHA256SUMS`, which reads all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksums {
    /// Compare them, where the directory has that file.
    Verify,
    /// Do not read the numbers of the weights.
    Skip,
}

impl ModelSettings {
    /// `verify_checksums` as the functions of this crate take it.
    pub fn checksums(&self) -> Checksums {
        if self.verify_checksums { Checksums::Verify } else { Checksums::Skip }
    }
}

/// The hardware that computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA card; only in a build with CUDA.
    Cuda,
}

/// Precision of the weights and of the arithmetic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComputeType {
    /// As the model was converted.
    #[default]
    Default,
    /// The fastest that this machine supports.
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
    /// All types, in the order of the documentation.
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

    /// CTranslate2's name for it.
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
    /// CTranslate2's name for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }
}
