// CTranslate2 uses MKL only on Intel processors unless CT2_USE_MKL says otherwise. A build with MKL has
// no other backend, so on an AMD processor every model would fail with "No SGEMM backend on CPU".
//
// The variable has to be set before CTranslate2 first asks, and changing the environment is only sound
// while there is one thread: that is before `main`. What the user has set stays.
#include <stdlib.h>

__attribute__((constructor)) static void use_mkl(void) {
    setenv("CT2_USE_MKL", "1", 0);
}
