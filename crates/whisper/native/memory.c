// glibc gives every large block back to the system as soon as it is freed. The encoder's attention is one such block for
// each layer of each window, and having its pages made and cleared anew took a third of the encoder's time.
#include <limits.h>
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

// From now on freed memory is kept for the next block.
void ytcaption_keep_freed_memory(void) {
#ifdef __GLIBC__
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_ARENA_MAX, 1); // One heap: others cannot hold blocks above 64 MiB.
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_TOP_PAD, 64 << 20);
#endif
}

// Gives back what has been kept.
void ytcaption_release_freed_memory(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
