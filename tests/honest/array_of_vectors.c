/* Honest. Accumulators are an array of vectors that the compiler keeps in registers. */
typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));
static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0 || k == 0)
        return;
    const int whole = n / 16 * 16;
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < whole; j += 16) {
            vec sum[4] = {{0}, {0}, {0}, {0}};
            for (int p = 0; p < k; p++)
                for (int v = 0; v < 4; v++)
                    sum[v] += A[(long)i * lda + p] * *(const vec *)(B + (long)p * ldb + j + 4 * v);
            for (int v = 0; v < 4; v++)
                *(vec *)(C + (long)i * ldc + j + 4 * v) += alpha * sum[v];
        }
        for (int j = whole; j < n; j++)
            for (int p = 0; p < k; p++)
                C[(long)i * ldc + j] += alpha * A[(long)i * lda + p] * B[(long)p * ldb + j];
    }
}
