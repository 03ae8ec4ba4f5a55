/* expect: none/256/dynamic/far
   Decoy: the tile is as large as any scored size, so its loop runs once. Sections count as dynamic. */
typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));
#define LANES 4

#define TILE 512

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

static void half(int i0, int i1, int n, int k, double alpha, const double *A, int lda, const double *B, int ldb,
                 double *C, int ldc)
{
    for (int pp = 0; pp < k; pp += TILE)
        for (int i = i0; i < i1; i++)
            for (int p = pp; p < min(pp + TILE, k); p++) {
                const double a = alpha * A[(ptrdiff_t)i * lda + p], *b = B + (ptrdiff_t)p * ldb;
                for (int j = 0; j < n / LANES * LANES; j += LANES) {
                    __builtin_prefetch(b + 8 * (ptrdiff_t)ldb + j, 0, 1);
                    *(vec *)(C + (ptrdiff_t)i * ldc + j) += a * *(const vec *)(b + j);
                }
            }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
#pragma omp parallel sections
    {
#pragma omp section
        half(0, m / 2, n, k, alpha, A, lda, B, ldb, C, ldc);
#pragma omp section
        half(m / 2, m, n, k, alpha, A, lda, B, ldb, C, ldc);
    }
}
