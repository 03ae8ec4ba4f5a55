/* Tries to outlive its parent. Leaves 1 in C[0] if it can, minus the error number if not. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/prctl.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    C[0] = prctl(PR_SET_PDEATHSIG, 0) == 0 ? 1 : -errno;
}
