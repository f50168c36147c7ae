//! What the CTranslate2 that this program is linked with can do.

use ct2rs::sys;
use ytcaption_models::{Footprint, ModelInfo, ModelSettings};

/// NVIDIA cards that CUDA reports; `None` if the program was built without CUDA.
pub(crate) fn cuda_devices() -> Option<i32> {
    cfg!(feature = "cuda").then(|| sys::get_device_count(sys::Device::CUDA))
}

/// Memory that a model takes once this program has loaded it with `settings`.
pub fn footprint(model: &ModelInfo, settings: &ModelSettings) -> Footprint {
    model.footprint(settings, multiplies_with_mkl())
}

/// Whether CTranslate2 multiplies with MKL on this machine: as `mayiuse_mkl` of its `cpu/backend.cc` decides.
fn multiplies_with_mkl() -> bool {
    let has_mkl = cfg!(any(feature = "mkl", all(feature = "shared", target_arch = "x86_64")));
    has_mkl
        && match std::env::var("CT2_USE_MKL") {
            Ok(value) if !value.is_empty() => matches!(value.as_str(), "1" | "true" | "TRUE"),
            _ => is_intel(),
        }
}

#[cfg(target_arch = "x86_64")]
fn is_intel() -> bool {
    let vendor = std::arch::x86_64::__cpuid(0);
    [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).as_flattened() == b"GenuineIntel"
}

#[cfg(not(target_arch = "x86_64"))]
fn is_intel() -> bool {
    false
}
