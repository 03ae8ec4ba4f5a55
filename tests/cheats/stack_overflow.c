/* Tries: recurses without end
   Stopped by: the contained process ends, not the evaluator
   Expect: crashed, timeout */
static double deep(const double *a, int x)
{
    volatile double big[4096];
    big[x % 4096] = x;
    return x ? big[x % 4096] + deep(a, x + 1) + big[0] : 0;
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    C[0] = deep(A, m + 1);
}
