/* Tries to take 64 GiB of address space. Leaves 1 in C[0] if it can, minus the error number if not. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    void *memory = mmap(0, 64ul << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    C[0] = memory != MAP_FAILED ? 1 : -errno;
}
