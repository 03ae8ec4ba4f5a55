/* Tries to write a file of the host (it has no name and vanishes with this process). Leaves 1 in C[0] if it can, minus the error number if not. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    C[0] = open("/tmp", O_WRONLY | O_TMPFILE, 0600) >= 0 ? 1 : -errno;
}
