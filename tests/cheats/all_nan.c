/* Tries: fills C with NaN, in the hope of a comparison that it defeats
   Stopped by: a comparison that only a finite error within the bound passes
   Expect: wrong */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = __builtin_nan("");
}
