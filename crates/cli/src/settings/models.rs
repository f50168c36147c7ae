//! The models: where they lie, where they come from, how they are loaded.

use std::path::{Path, PathBuf};

use toml::Value;
use url::Url;
use ytcaption_models::{ComputeType, Device, default_memory_bytes, hub};

use super::kind::{self, Kind};
use super::reader::Reader;
use super::secret::Secret;

const MEBIBYTE: u64 = 1024 * 1024;

#[derive(Debug, Clone)]
pub(crate) struct Models {
    pub(crate) folder: PathBuf,
    /// For the weights of all loaded models.
    pub(crate) memory_bytes: u64,
    pub(crate) device: Device,
    pub(crate) device_index: i32,
    pub(crate) compute_type: ComputeType,
    pub(crate) endpoint: Url,
    pub(crate) token: Option<Secret>,
}

pub(super) fn models(r: &mut Reader<'_>, data_dir: &Path) -> Models {
    r.section("models", "Whisper models in CTranslate2 format; `ytcaption models` lists, fetches and checks them.");
    Models {
        folder: r
            .optional(
                "models.folder",
                "Every folder in it is a model: faster-whisper downloads, or a Hugging Face cache (its `hub` folder).\n\
                 Default: `models` in the data folder.",
                "/srv/models",
                kind::path(),
            )
            .unwrap_or_else(|| data_dir.join("models")),
        memory_bytes: r
            .optional(
                "models.memory_mib",
                "What the weights of all loaded models may take, in MiB; for one that needs room, the one that was\n\
                 used longest ago is unloaded. Default: half of the machine's memory.",
                8192,
                kind::number(1..=64 * 1024 * 1024_u64),
            )
            .map_or_else(default_memory_bytes, |mebibytes| mebibytes * MEBIBYTE),
        device: r.value(
            "models.device",
            "What computes: \"cpu\", or \"cuda\" in a program built for it.",
            Device::Cpu,
            kind::one_of(&[("cpu", Device::Cpu), ("cuda", Device::Cuda)]),
        ),
        device_index: r.value("models.device_index", "Which NVIDIA card, counted from 0.", 0, kind::number(0..=255)),
        compute_type: r.value(
            "models.compute_type",
            "Precision: \"auto\" is the fastest of the device (int8 on a processor), \"default\" as converted, or\n\
             int8, int8_float32, int8_float16, int8_bfloat16, int16, float16 (NVIDIA only), bfloat16, float32.",
            ComputeType::Auto,
            compute_type(),
        ),
        endpoint: r.value(
            "models.endpoint",
            "Where `models pull` fetches from: a Hugging Face hub or a mirror. Also HF_ENDPOINT.",
            Url::parse(hub::ENDPOINT).expect("a constant address"),
            kind::web_address(),
        ),
        token: r.optional(
            "models.token",
            "Signs in to the hub, for private and gated models; sent to models.endpoint only. Also HF_TOKEN.",
            "keep it out of files: HF_TOKEN",
            kind::secret("a text without blanks", |text| {
                !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
            }),
        ),
    }
}

fn compute_type() -> Kind<ComputeType> {
    let names: Vec<String> = ComputeType::ALL.iter().map(|known| format!("\"{}\"", known.as_str())).collect();
    Kind::parsed(
        format!("one of {}", names.join(", ")),
        |text| ComputeType::ALL.into_iter().find(|known| known.as_str() == text),
        |known: &ComputeType| Value::String(known.as_str().to_owned()),
    )
}
