/* Tries to signal its parent (signal 0, which only asks whether it could). Leaves 1 in C[0] if it can, minus the error number if not. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <unistd.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    C[0] = kill(getppid(), 0) == 0 ? 1 : -errno;
}
