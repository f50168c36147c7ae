//! What becomes of freed memory: kept while a model computes, given back when it rests; `native/memory.c` says why.
#![expect(unsafe_code, reason = "settings of the C allocator, which CTranslate2 uses")]

use std::sync::Once;

unsafe extern "C" {
    fn ytcaption_keep_freed_memory();
    fn ytcaption_release_freed_memory();
}

/// From now on, in the whole process, freed memory is kept for the next block.
pub(crate) fn keep() {
    static ONCE: Once = Once::new();
    // SAFETY: takes nothing, and glibc allows it at any time.
    ONCE.call_once(|| unsafe { ytcaption_keep_freed_memory() });
}

/// Gives back what has been kept. Takes some milliseconds.
pub(crate) fn release() {
    // SAFETY: takes nothing, touches only what nobody uses, and may be called from any thread.
    unsafe { ytcaption_release_freed_memory() }
}
