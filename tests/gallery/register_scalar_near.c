/* expect: register/scalar/serial/near
   Four rows of one column at a time: four scalar sums; A is fetched into L1. */
static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    int i = 0;
    for (; i + 4 <= m; i += 4)
        for (int j = 0; j < n; j++) {
            double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
            const double *a = A + (ptrdiff_t)i * lda;
            double *c = C + (ptrdiff_t)i * ldc + j;
            for (ptrdiff_t at = j; at < (ptrdiff_t)k * ldb; at += ldb, a++) {
                __builtin_prefetch(a + 64);
                s0 += a[0] * B[at];
                s1 += a[lda] * B[at];
                s2 += a[2 * (ptrdiff_t)lda] * B[at];
                s3 += a[3 * (ptrdiff_t)lda] * B[at];
            }
            c[0] += alpha * s0;
            c[ldc] += alpha * s1;
            c[2 * (ptrdiff_t)ldc] += alpha * s2;
            c[3 * (ptrdiff_t)ldc] += alpha * s3;
        }
    for (; i < m; i++)
        for (int j = 0; j < n; j++)
            for (int p = 0; p < k; p++)
                C[(ptrdiff_t)i * ldc + j] += alpha * A[(ptrdiff_t)i * lda + p] * B[(ptrdiff_t)p * ldb + j];
}
