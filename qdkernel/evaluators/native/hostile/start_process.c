/* Tries to start a process (it leaves at once). Leaves 1 in C[0] if it can, minus the error number if not. */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    C[0] = child > 0 ? 1 : -errno;
}
