/* Honest. simd, declare simd and safelen. */
#pragma omp declare simd
static inline double times(double x, double y) { return x * y; }

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            if (alpha != 0) {
    #pragma omp simd reduction(+ : sum) safelen(8)
                for (int p = 0; p < k; p++)
                    sum += times(A[(long)i * lda + p], B[(long)p * ldb + j]);
            }
            C[(long)i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * C[(long)i * ldc + j]);
        }
}
