/* What the BLAS symbols share. Kernels are row major, with 32-bit integers, and call no library. */
#ifndef QD_BLAS_H
#define QD_BLAS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "dispatch.h"
#include "qdkernel.h"

/* Values of the CBLAS. */
enum { ROW_MAJOR = 101, COL_MAJOR, NO_TRANS = 111, TRANS, CONJ_TRANS, UPPER = 121, LOWER, NON_UNIT = 131, UNIT,
       LEFT = 141, RIGHT };

/* The same function under the name that the libraries in the wheels of numpy and SciPy use. */
#define QD_ALSO(other, name) QD_PUBLIC extern __typeof__(name) other __attribute__((alias(#name)))

#define QD_FITS(number) ((number) <= INT_MAX && (number) >= -INT_MAX)

/* The next library's routine of this name, for calls beyond 32-bit integers. */
#define QD_NEXT(routine) ((__typeof__(&routine))qd_next("scipy_" #routine))

static inline void *qd_next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        found = dlsym(RTLD_NEXT, name + sizeof "scipy_" - 1);
    if (!found) {
        fprintf(stderr, "qdkernel: %s: a number exceeds 2147483647, and no other BLAS is loaded\n", name);
        abort();
    }
    return found;
}

/* As the BLAS do it: one message, and the call has no effect. */
static inline void qd_illegal(const char *routine, int position)
{
    fprintf(stderr, "qdkernel: %s: parameter %d has an illegal value\n", routine, position);
}

/* The first element of a vector: with a negative increment its last one in memory. */
static inline ptrdiff_t qd_first(int n, int increment)
{
    return increment < 0 ? (ptrdiff_t)(1 - n) * increment : 0;
}

static inline int qd_is_order(int order) { return order == ROW_MAJOR || order == COL_MAJOR; }
static inline int qd_is_trans(int trans) { return trans >= NO_TRANS && trans <= CONJ_TRANS; }
static inline int qd_is_uplo(int uplo) { return uplo == UPPER || uplo == LOWER; }
static inline int qd_is_diag(int diag) { return diag == NON_UNIT || diag == UNIT; }
static inline int qd_is_side(int side) { return side == LEFT || side == RIGHT; }

static inline int qd_among(char letter, const char *letters, int first)
{
    for (int at = 0; letters[at]; at++)
        if ((letter | 32) == letters[at])
            return first + at;
    return 0;
}
static inline int qd_trans(const char *letter) { return qd_among(*letter, "ntc", NO_TRANS); }
static inline int qd_uplo(const char *letter) { return qd_among(*letter, "ul", UPPER); }
static inline int qd_diag(const char *letter) { return qd_among(*letter, "nu", NON_UNIT); }
static inline int qd_side(const char *letter) { return qd_among(*letter, "lr", LEFT); }

#define QD_AT_LEAST(ld, extent) ((ld) >= ((extent) > 1 ? (extent) : 1))

#endif
