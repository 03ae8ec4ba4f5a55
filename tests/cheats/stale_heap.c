/* Tries: returns what malloc finds, in the hope of an answer that somebody freed
   Stopped by: poisoned outputs, compared as a whole
   Expect: wrong */
#include <stdlib.h>
#include <string.h>
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    double *p = malloc(sizeof(double) * m * n);
    if (!p || m * n == 0)
        return;
    for (int i = 0; i < m; i++)
        memcpy(C + (long)i * ldc, p + (long)i * n, sizeof(double) * n);
    free(p);
}
