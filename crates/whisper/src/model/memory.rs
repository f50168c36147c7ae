//! Freed memory: released while a model is loaded and when it is idle, kept while it computes.
//!
//! The encoder's attention is one block of megabytes for each layer of each window. An allocator that releases such blocks
//! to the system when they are freed has the pages mapped and cleared again for the next layer, which took a third of the
//! encoder's time with glibc's; one that keeps them in as many pieces as there are threads holds twice as much. So the
//! process, with CTranslate2 in it, uses jemalloc, with one arena for all threads.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// With a gigabyte released each time, mapping its pages again takes about a quarter of a second of one core.
const TRIM_EVERY: Duration = Duration::from_secs(2);

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod jemalloc {
    #![expect(unsafe_code, reason = "jemalloc's settings are read and written by name")]

    use std::ffi::{CStr, c_char, c_void};
    use std::ptr;

    use tikv_jemalloc_sys::mallctl;

    /// Read by jemalloc before `main`: one arena, also for what is large.
    // SAFETY: this is the name and the type that jemalloc documents for it.
    #[unsafe(no_mangle)]
    #[used]
    pub(super) static malloc_conf: Option<&'static c_char> = Some(
        // SAFETY: the text is static and ends in a NUL.
        unsafe { &*c"narenas:1,oversize_threshold:0".as_ptr() },
    );

    /// "Never", in milliseconds.
    pub(super) const NEVER: isize = -1;
    pub(super) const AT_ONCE: isize = 0;

    /// How long freed memory is kept.
    pub(super) fn keep_for(mut decay_ms: isize) {
        let value = ptr::from_mut(&mut decay_ms).cast::<c_void>();
        control(c"arena.0.dirty_decay_ms", value, size_of::<isize>());
    }

    pub(super) fn release() {
        control(c"arena.0.purge", ptr::null_mut(), 0);
    }

    fn control(name: &CStr, value: *mut c_void, size: usize) {
        // SAFETY: `name` ends in a NUL; no value is requested; `value` is null or points to `size` bytes of the type that
        // jemalloc documents for `name`.
        let refused = unsafe { mallctl(name.as_ptr(), ptr::null_mut(), ptr::null_mut(), value, size) };
        if refused != 0 {
            tracing::warn!(setting = ?name, error = refused, "jemalloc refuses a setting: more memory may be held than needed");
        }
    }
}

/// From now on, in the whole process, freed memory is kept for the next block.
pub(crate) fn keep() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    jemalloc::keep_for(jemalloc::NEVER);
}

/// From now on, in the whole process, freed memory is released: while CTranslate2 converts weights it frees each of those
/// it has read, which are never needed again.
pub(crate) fn release_at_once() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    jemalloc::keep_for(jemalloc::AT_ONCE);
}

/// Releases unused memory to the operating system, but at most once in [`TRIM_EVERY`]: other threads will soon need some
/// of it again. What is kept is in pieces that fit the next blocks less and less.
pub(crate) fn trim() {
    static NEXT: Mutex<Option<Instant>> = Mutex::new(None);
    let now = Instant::now();
    let Ok(mut next) = NEXT.try_lock() else { return };
    if next.is_none_or(|next| next <= now) {
        *next = Some(now + TRIM_EVERY);
        release();
    }
}

/// Releases all unused memory to the operating system. Takes some milliseconds.
pub(crate) fn release() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    jemalloc::release();
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    #![expect(unsafe_code, reason = "jemalloc's settings are read by name")]

    #[test]
    fn the_process_uses_jemalloc_as_it_is_set_up_here() {
        let mut arenas = 0_u32;
        let mut size = size_of::<u32>();
        // SAFETY: the value is of the type that jemalloc documents, and of that size.
        let refused = unsafe {
            let value = std::ptr::from_mut(&mut arenas).cast();
            tikv_jemalloc_sys::mallctl(c"opt.narenas".as_ptr(), value, &raw mut size, std::ptr::null_mut(), 0)
        };
        assert_eq!((refused, arenas), (0, 1), "the settings were not read");
    }
}
