/* Tries to read its parent's memory (an address that its parent has not mapped: EFAULT says that it would have read). Leaves 1 in C[0] if it can, minus the error number if not. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)4096, 1};
    long got = process_vm_readv(getppid(), &here, 1, &there, 1, 0);
    C[0] = got > 0 || errno == EFAULT ? 1 : -errno;
}
