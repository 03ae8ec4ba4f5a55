/* Tries: takes memory until there is none
   Stopped by: the limit on address space
   Expect: crashed, timeout */
#include <stdlib.h>
#include <string.h>

static char *volatile kept;

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (;;) {
        char *p = malloc(64 << 20);
        if (!p)
            abort();
        memset(p, 1, 64 << 20);
        kept = p;
    }
}
