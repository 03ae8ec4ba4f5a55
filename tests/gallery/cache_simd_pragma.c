/* expect: cache/512/serial/none
   No vector in the source: the compiler makes them. `omp simd` starts no threads. */
#define DEPTH 64
#define ROWS 32

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

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
    for (int ii = 0; ii < m; ii += ROWS) {
        int pp = 0;
        while (pp < k) {
            const int p1 = min(pp + DEPTH, k), i1 = min(ii + ROWS, m);
            for (int i = ii; i < i1; i++) {
                double *restrict c = C + (ptrdiff_t)i * ldc;
                for (int p = pp; p < p1; p++) {
                    const double a = alpha * A[(ptrdiff_t)i * lda + p], *restrict b = B + (ptrdiff_t)p * ldb;
#pragma omp simd
                    for (int j = 0; j < n; j++)
                        c[j] += a * b[j];
                }
            }
            pp += DEPTH;
        }
    }
}
