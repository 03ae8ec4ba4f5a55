/* expect: cache/512/serial/both
   Two levels of tiles around a row update in plain C; the compiler vectorizes it. */
#define OUTER 256
#define INNER 32
#define MIN(a, b) ((a) < (b) ? (a) : (b))

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0)
        return;
    for (int jj = 0; jj < n; jj += OUTER)
        for (int pp = 0; pp < k; pp += OUTER) {
            const int jend = MIN(jj + OUTER, n), pend = MIN(pp + OUTER, k);
            for (int q = pp; q < pend; q += INNER)
                for (int i = 0; i < m; i++) {
                    const double *a = A + (ptrdiff_t)i * lda;
                    double *restrict c = C + (ptrdiff_t)i * ldc;
                    __builtin_prefetch(a + q + lda, 0, 3);
                    __builtin_prefetch(a + q + 4 * (ptrdiff_t)lda, 0, 1);
                    for (int p = q; p < MIN(q + INNER, pend); p++) {
                        const double x = alpha * a[p], *b = B + (ptrdiff_t)p * ldb;
                        for (int j = jj; j < jend; j++)
                            c[j] += x * b[j];
                    }
                }
        }
}
