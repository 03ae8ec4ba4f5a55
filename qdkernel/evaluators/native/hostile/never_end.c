/* Tries to run for ever. Leaves 1 in C[0] if it can, minus the error number if not. */
#define _GNU_SOURCE
#include <stddef.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (volatile int on = 1; on;)
        ;
    C[0] = 1;
}
