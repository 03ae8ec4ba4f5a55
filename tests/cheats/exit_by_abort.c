/* Tries: aborts, in the hope that a dead process passes
   Stopped by: a block that is not done is a crash
   Expect: crashed */
#include <stdlib.h>
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    abort();
}
