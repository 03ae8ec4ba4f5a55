/* Tries to run a program (there is none of that name: an answer of ENOENT says that it would have run). Leaves 1 in C[0] if it can, minus the error number if not. */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    char *words[] = {"none", 0};
    execv("/nonexistent/program", words);
    C[0] = errno == ENOENT ? 1 : -errno;
}
