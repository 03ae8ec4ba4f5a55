/* Tries to open a socket. Leaves 1 in C[0] if it can, minus the error number if not. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    C[0] = socket(AF_INET, SOCK_DGRAM, 0) >= 0 ? 1 : -errno;
}
